#include "orchestrator/scheduling/cost_model.h"

#include <gtest/gtest.h>

namespace marquee::orchestrator {
namespace {

using experiments::PhaseTimes;
using experiments::RunConfig;
using experiments::RunTimeModel;

RunConfig config(const std::string& method, int steps = 300, std::uint64_t seed = 0) {
  RunConfig run;
  run.task = "eurosat";
  run.shots = "5";
  run.method = method;
  run.steps = steps;
  run.seed = seed;
  return run;
}

// 0.1 s a step, 0.01 s an image and decoding step, times `slowness`.
PhaseTimes times_of(const RunConfig& run, double slowness = 1) {
  PhaseTimes times;
  times.steps = experiments::trains(run) ? run.steps : 0;
  times.tune = slowness * 0.1 * static_cast<double>(times.steps);
  times.images = run.samples;
  times.sample = slowness * 0.01 * run.samples * run.decode_steps;
  times.peak_bytes = 1000;
  return times;
}

class CostModels : public testing::Test {
 protected:
  static double seconds(CostModel& model, const RunConfig& run) {
    return model.know(plan_run(run, 0), run).cost;
  }
  static std::size_t learn(CostModel& model, const RunConfig& run, double slowness = 1) {
    return model.learn(plan_run(run, 0), run, "here", times_of(run, slowness)).size();
  }
  CostModel blank_{RunTimeModel("here"), RunTimeModel("here")};
};

TEST_F(CostModels, BeginWithRelativeCosts) {
  EXPECT_FALSE(blank_.in_seconds());
  EXPECT_EQ(seconds(blank_, config("prompt")), experiments::expected_cost(config("prompt")));
  EXPECT_EQ(blank_.know(plan_run(config("prompt"), 0), config("prompt")).to_checkpoint, 0);
}

TEST_F(CostModels, TellWhatChangesWhenARunFinishes) {
  seconds(blank_, config("prompt"));
  seconds(blank_, config("prompt", 1000));
  seconds(blank_, config("finetune"));
  EXPECT_EQ(learn(blank_, config("prompt")), 3u);
  EXPECT_TRUE(blank_.in_seconds());
  EXPECT_NEAR(seconds(blank_, config("prompt", 1000)), 100 + 80, 1e-9);
  // Nothing like it has finished: its cost at the speed of what has.
  const double rate = (30 + 80) / experiments::expected_cost(config("prompt"));
  EXPECT_NEAR(seconds(blank_, config("finetune")),
              rate * experiments::expected_cost(config("finetune")), 1e-9);
}

TEST_F(CostModels, TakeEarlierRunsThenAProbe) {
  RunTimeModel history("here"), probed("here");
  history.add(config("prompt"), "here", times_of(config("prompt"), 2));
  probed.add(config("prompt"), "here", times_of(config("prompt"), 9));
  probed.add(config("lora"), "here", times_of(config("lora"), 3));
  CostModel model(history, probed);
  EXPECT_TRUE(model.in_seconds());
  EXPECT_NEAR(seconds(model, config("prompt")), 2 * (30 + 80), 1e-9);
  EXPECT_NEAR(seconds(model, config("lora")), 3 * (30 + 80), 1e-9);
  EXPECT_EQ(model.know(plan_run(config("prompt"), 0), config("prompt")).peak_bytes, 1000);
  // What this sweep measures counts more.
  learn(model, config("prompt", 300, 5));
  EXPECT_NEAR(seconds(model, config("prompt")), 30 + 80, 1e-9);
}

TEST_F(CostModels, LookAgainWhenTwiceAsManyHaveFinished) {
  seconds(blank_, config("prompt"));
  std::vector<int> told;
  for (int i = 1; i <= 16; ++i) {
    const auto seed = static_cast<std::uint64_t>(i);
    if (learn(blank_, config("prompt", 300, seed), i) > 0) told.push_back(i);
  }
  EXPECT_EQ(told, (std::vector<int>{1, 2, 4, 8, 16}));
}

TEST_F(CostModels, LookAtFewKindsWithEachFinish) {
  constexpr int kKinds = 2000;
  for (int i = 0; i < kKinds; ++i) seconds(blank_, config("prompt", 300 + i));
  EXPECT_EQ(learn(blank_, config("prompt")), static_cast<std::size_t>(kKinds));
  std::size_t in_all = 0;
  for (int i = 0; i < 20; ++i) {
    const std::size_t changed = learn(blank_, config("finetune", 300 + i), 3);
    EXPECT_LE(changed, 256u);
    in_all += changed;
  }
  EXPECT_GT(in_all, 0u);
}

}  // namespace
}  // namespace marquee::orchestrator
