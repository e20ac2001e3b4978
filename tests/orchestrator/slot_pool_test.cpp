#include "orchestrator/scheduling/slot_pool.h"

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

// Ranks 1 and 2 on host a (80 GB), 3 and 4 on b (40 GB), 5 on c (a processor).
SlotPool pool() {
  return SlotPool({{1, {"a", "NVIDIA H100 80GB HBM3", 81559 * kMiB}},
                   {2, {"a", "NVIDIA H100 80GB HBM3", 81559 * kMiB}},
                   {3, {"b", "NVIDIA A100-SXM4-40GB", 40960 * kMiB}},
                   {4, {"b", "NVIDIA A100-SXM4-40GB", 40960 * kMiB}},
                   {5, {"c", "EPYC", 0}}});
}

int slots_for(const SlotPool& slots, const SlotNeed& need, int count = 1,
              std::int64_t peak_bytes = 0) {
  int idle = 0;
  for (const SlotPool::Way& way : slots.ways(need, count, peak_bytes)) idle += slots.idle(way);
  return idle;
}

TEST(SlotPool, FindsSlotsByPartOfTheNameAndMemory) {
  const SlotPool slots = pool();
  EXPECT_EQ(slots_for(slots, {}), 5);
  EXPECT_EQ(slots_for(slots, {"h100"}), 2);
  EXPECT_EQ(slots_for(slots, {"nvidia*40gb"}), 2);
  EXPECT_EQ(slots_for(slots, {"V100"}), 0);
  // A card of 80 GB has 79.6 GiB; where the memory is not known none is promised.
  EXPECT_EQ(slots_for(slots, {"", 80}), 2);
  EXPECT_EQ(slots_for(slots, {"", 24}), 4);
  EXPECT_EQ(slots_for(slots, {"", 0, 40}), 2);
}

TEST(SlotPool, LeavesSmallSlotsOutAsLongAsThereAreLargerOnes) {
  const SlotPool slots = pool();
  EXPECT_EQ(slots_for(slots, {}, 1, 50'000 * kMiB), 3);
  EXPECT_EQ(slots_for(slots, {"A100"}, 1, 50'000 * kMiB), 2);
}

TEST(SlotPool, GivesAGangSlotsOfOneKind) {
  const SlotPool slots = pool();
  EXPECT_EQ(slots.ways({}, 2).size(), 2u);
  EXPECT_TRUE(slots.ways({}, 3).empty());
  EXPECT_EQ(slots.choose_gang(slots.ways({"H100"}, 2).front(), 2), (std::vector<int>{1, 2}));
}

TEST(SlotPool, PrefersTheSmallestSlotAndWhatIsLoaded) {
  SlotPool slots = pool();
  const SlotPool::Way way = slots.ways({"NVIDIA"}, 1).front();
  EXPECT_EQ(slots.choose(way, {7, 1}), 3);
  for (const int rank : {2, 4}) {
    slots.take(rank);
    slots.release(rank, {7, static_cast<std::uint64_t>(rank)});
  }
  EXPECT_EQ(slots.choose(way, {7, 2}), 2);
  EXPECT_EQ(slots.choose(way, {7, 9}), 4);
  EXPECT_EQ(slots.choose(way, {8, 2}), 3);
}

TEST(SlotPool, LosesTheSlotsOfAnExcludedHost) {
  SlotPool slots = pool();
  slots.take(1);
  EXPECT_TRUE(slots.ways_without("a", {"H100"}, 1).empty());
  EXPECT_FALSE(slots.ways_without("b", {"H100"}, 1).empty());
  slots.exclude("a");
  EXPECT_EQ(slots.idle(), 3);
  slots.release(1, {});
  EXPECT_EQ(slots.idle(), 3);
  EXPECT_TRUE(slots.ways({"H100"}, 1).empty());
  EXPECT_EQ(slots.hosts(), (std::set<std::string>{"b", "c"}));
  EXPECT_TRUE(slots.ways_without("a", {"H100"}, 1).empty());
}

TEST(SlotPool, RefusesToTakeASlotTwice) {
  SlotPool slots = pool();
  slots.take(3);
  EXPECT_THROW(slots.take(3), cluster::Error);
  slots.release(3, {});
  EXPECT_THROW(slots.release(3, {}), cluster::Error);
}

}  // namespace
}  // namespace marquee::orchestrator
