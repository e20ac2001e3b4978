#include "experiments/simulation.h"

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::experiments {
namespace {

RunConfig run_of(const std::string& task, std::uint64_t seed) {
  RunConfig run;
  run.task = task;
  run.seed = seed;
  return run;
}

Simulation scripted() {
  Simulation simulation;
  simulation.seconds = 0.25;
  simulation.steps = 3;
  simulation.files = false;
  simulation.faults = {{"crash", {{"task", {"svhn"}}, {"seed", {0, 1}}}, {1}}, {"hang", {}, {2}}};
  return simulation;
}

TEST(SimulationTest, TakesTheFirstFaultThatMatchesRunAndAttempt) {
  const Simulation simulation = scripted();
  EXPECT_EQ(fault_of(simulation, run_of("svhn", 1), 1), "crash");
  EXPECT_EQ(fault_of(simulation, run_of("svhn", 2), 1), "");
  EXPECT_EQ(fault_of(simulation, run_of("dtd", 0), 1), "");
  EXPECT_EQ(fault_of(simulation, run_of("svhn", 1), 2), "hang");
  EXPECT_EQ(fault_of(simulation, run_of("dtd", 0), 3), "");
}

TEST(SimulationTest, GivesEachAgentItsSlotAndTheFaultsOfItsHost) {
  Simulation simulation = scripted();
  simulation.slots = {{"a", "GPU", 40}, {"b", "GPU", 80}};
  simulation.faults.insert(simulation.faults.begin(), {"environment", {}, {}, {"b"}});
  const Simulation first = simulation_of_agent(simulation, 0),
                   second = simulation_of_agent(simulation, 3);
  ASSERT_EQ(first.slots.size(), 1u);
  EXPECT_EQ(first.slots[0].host, "a");
  EXPECT_EQ(second.slots[0].memory, 80);
  EXPECT_EQ(fault_of(first, run_of("svhn", 1), 1), "crash");
  EXPECT_EQ(fault_of(second, run_of("svhn", 1), 1), "environment");
  const Simulation told = simulation_from_json(to_json(second));
  EXPECT_EQ(told.slots[0].host, "b");
  EXPECT_EQ(fault_of(told, run_of("svhn", 1), 1), "environment");
}

TEST(SimulationTest, SurvivesItsJson) {
  const Simulation again = simulation_from_json(to_json(scripted()));
  EXPECT_EQ(to_json(again), to_json(scripted()));
  EXPECT_EQ(fault_of(again, run_of("svhn", 1), 1), "crash");
}

TEST(SimulationTest, RefusesJsonWithoutItsKeys) {
  nlohmann::json content = to_json(scripted());
  content.erase("steps");
  EXPECT_THROW(simulation_from_json(content), cluster::Error);
  EXPECT_THROW(simulation_from_json(nlohmann::json::array()), cluster::Error);
}

}  // namespace
}  // namespace marquee::experiments
