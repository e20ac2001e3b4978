#include "orchestrator/scheduling/slots.h"

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

TEST(Slots, AreCoresDividedByThreads) {
  EXPECT_EQ(slots_of_host({"a", {0, 1, 2, 3}, 0}, 1, 0), 4);
  EXPECT_EQ(slots_of_host({"a", {0, 1, 2, 3}, 0}, 2, 0), 2);
}

TEST(Slots, AreAtLeastOneWhenThreadsExceedCores) {
  EXPECT_EQ(slots_of_host({"a", {0}, 0}, 8, 0), 1);
}

TEST(Slots, AreGpusWhereThereAreSome) {
  EXPECT_EQ(slots_of_host({"a", {0, 1, 2, 3}, 3}, 1, 0), 3);
}

TEST(Slots, FollowTheOptionFirst) {
  EXPECT_EQ(slots_of_host({"a", {0, 1}, 2}, 1, 5), 5);
}

TEST(Slots, CountAgentsOfTheHostNotRanks) {
  const std::map<int, HostFacts> agents = {
      {1, {"a", {0, 1}, 0}}, {2, {"b", {4, 5}, 0}}, {3, {"a", {0, 1}, 0}}};
  const auto slots = assign_slots(agents, 1, 0);
  EXPECT_EQ(slots.at(1), (SlotAssignment{0, {0}, -1}));
  EXPECT_EQ(slots.at(2), (SlotAssignment{0, {4}, -1}));
  EXPECT_EQ(slots.at(3), (SlotAssignment{1, {1}, -1}));
}

TEST(Slots, GiveEachAgentAGpuOfItsOwn) {
  const std::map<int, HostFacts> agents = {{1, {"a", {0, 1}, 2}}, {2, {"a", {0, 1}, 2}}};
  const auto slots = assign_slots(agents, 1, 0);
  EXPECT_EQ(slots.at(1).gpu, 0);
  EXPECT_EQ(slots.at(2).gpu, 1);
}

TEST(Slots, RefuseMoreAgentsNamingBothNumbersAndTheOption) {
  const std::map<int, HostFacts> agents = {
      {1, {"a", {0, 1}, 0}}, {2, {"a", {0, 1}, 0}}, {3, {"a", {0, 1}, 0}}};
  try {
    assign_slots(agents, 1, 0);
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
    EXPECT_NE(text.find("3 agents"), std::string::npos) << text;
    EXPECT_NE(text.find("2 slots"), std::string::npos) << text;
    EXPECT_NE(text.find("--slots-per-host"), std::string::npos) << text;
  }
}

TEST(Slots, OverlapOnlyWhenTheOptionAllowsIt) {
  const std::map<int, HostFacts> agents = {{1, {"a", {7}, 0}}, {2, {"a", {7}, 0}}};
  EXPECT_THROW(assign_slots(agents, 1, 0), cluster::Error);
  const auto slots = assign_slots(agents, 1, 2);
  EXPECT_EQ(slots.at(2).cpus, std::vector<int>{7});
}

TEST(CpusOfSlot, AreConsecutiveAndWrapRound) {
  EXPECT_EQ(cpus_of_slot({0, 1, 2, 3}, 1, 2), (std::vector<int>{2, 3}));
  EXPECT_EQ(cpus_of_slot({0, 1, 2, 3}, 2, 2), (std::vector<int>{0, 1}));
  EXPECT_EQ(cpus_of_slot({0, 1}, 0, 8), (std::vector<int>{0, 1}));
}

TEST(Slots, OfferTheirGpuElseTheHost) {
  HostFacts host{"a", {0, 1}, 2};
  host.devices = {{"H100", 80}, {"A100", 40}};
  host.cpu = "EPYC";
  host.memory_bytes = 1000;
  EXPECT_EQ(facts_of_slot(host, {0, {0}, 1}), (SlotFacts{"a", "A100", 40}));
  EXPECT_EQ(facts_of_slot(host, {0, {0}, -1}), (SlotFacts{"a", "EPYC", 1000}));
  // The driver shows a GPU of which nothing is known.
  host.devices.clear();
  EXPECT_EQ(facts_of_slot(host, {0, {0}, 1}), (SlotFacts{"a", "GPU", 0}));
}

}  // namespace
}  // namespace marquee::orchestrator
