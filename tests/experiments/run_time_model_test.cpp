#include "experiments/run_time_model.h"

#include <gtest/gtest.h>

namespace marquee::experiments {
namespace {

RunConfig config(const std::string& method, std::uint64_t seed = 0) {
  RunConfig run;
  run.task = "eurosat";
  run.shots = "5";
  run.method = method;
  run.seed = seed;
  return run;
}

// 2 s with every run, 0.1 s a step, 0.01 s an image and decoding step.
PhaseTimes times_of(const RunConfig& run) {
  PhaseTimes times;
  times.load = 0.5;
  times.cache = 0.5;
  times.score = 1;
  times.steps = trains(run) ? run.steps : 0;
  times.tune = 0.1 * static_cast<double>(times.steps);
  times.images = run.samples;
  times.sample = 0.01 * run.samples * (is_oracle(run) ? 1 : run.decode_steps);
  times.peak_bytes = 1000;
  return times;
}

TEST(RunTimeModel, PredictsARunThatDiffersInTheSeed) {
  RunTimeModel model("here");
  EXPECT_FALSE(model.predict(config("prompt")));
  model.add(config("prompt"), "here", times_of(config("prompt")));
  const auto prediction = model.predict(config("prompt", 7));
  ASSERT_TRUE(prediction);
  EXPECT_NEAR(prediction->seconds, 2 + 30 + 80, 1e-9);
  EXPECT_EQ(prediction->likeness, "the same but for the seed");
  EXPECT_TRUE(prediction->same_machine);
  EXPECT_EQ(prediction->peak_bytes, 1000);
}

TEST(RunTimeModel, ScalesWithStepsSamplesAndBatch) {
  RunTimeModel model("here");
  model.add(config("prompt"), "here", times_of(config("prompt")));
  RunConfig other = config("prompt");
  other.steps = 1000;
  other.samples = 100;
  other.decode_steps = 4;
  EXPECT_NEAR(model.predict(other)->seconds, 2 + 100 + 4, 1e-9);
  EXPECT_EQ(model.predict(other)->likeness, "same task, method and sizes");
  other.task = "svhn";
  EXPECT_EQ(model.predict(other)->likeness, "same method and sizes");
  other.batch *= 2;
  EXPECT_NEAR(model.predict(other)->seconds, 2 + 200 + 4, 1e-9);
  EXPECT_EQ(model.predict(other)->likeness, "same method");
}

TEST(RunTimeModel, LeavesOutStepsThatWereTaken) {
  RunTimeModel model("here");
  model.add(config("prompt"), "here", times_of(config("prompt")));
  EXPECT_NEAR(model.predict(config("prompt"), 200)->seconds, 2 + 10 + 80, 1e-9);
  EXPECT_NEAR(model.predict(config("prompt"), 999)->seconds, 2 + 80, 1e-9);
}

TEST(RunTimeModel, LearnsARateFromAResumedAttempt) {
  RunTimeModel model("here");
  PhaseTimes rest = times_of(config("prompt"));
  rest.steps = 30;
  rest.tune = 3;
  model.add(config("prompt"), "here", rest);
  EXPECT_NEAR(model.predict(config("prompt"))->seconds, 2 + 30 + 80, 1e-9);
  // One that had no step left to take says nothing about a step.
  RunTimeModel none("here");
  rest.steps = 0;
  rest.tune = 0;
  none.add(config("prompt"), "here", rest);
  EXPECT_FALSE(none.predict(config("prompt")));
  EXPECT_TRUE(none.predict(config("prompt"), 300));
}

TEST(RunTimeModel, KeepsMethodsApartAndOraclesToo) {
  RunTimeModel model("here");
  model.add(config("none"), "here", times_of(config("none")));
  EXPECT_NEAR(model.predict(config("none", 1))->seconds, 2 + 80, 1e-9);
  EXPECT_FALSE(model.predict(config("finetune")));
  EXPECT_FALSE(model.predict(config("oracle_real")));
  model.add(config("oracle_real"), "here", times_of(config("oracle_real")));
  EXPECT_NEAR(model.predict(config("oracle_real"))->seconds, 2 + 10, 1e-9);
}

TEST(RunTimeModel, TakesAnotherMachineOnlyWhereThisOneHasNothingToSay) {
  RunTimeModel model("here");
  PhaseTimes slow = times_of(config("prompt"));
  slow.tune *= 10;
  model.add(config("prompt"), "there", slow);
  EXPECT_NEAR(model.predict(config("prompt"))->seconds, 2 + 300 + 80, 1e-9);
  EXPECT_FALSE(model.predict(config("prompt"))->same_machine);
  RunConfig other = config("prompt");
  other.task = "svhn";
  model.add(other, "here", times_of(other));
  EXPECT_NEAR(model.predict(config("prompt"))->seconds, 2 + 30 + 80, 1e-9);
  EXPECT_TRUE(model.predict(config("prompt"))->same_machine);
}

TEST(PhaseTimes, GoThroughJsonAndRefuseWhatIsNoTime) {
  const PhaseTimes times = times_of(config("prompt"));
  EXPECT_EQ(phase_times_from_json(to_json(times)), times);
  for (const auto& [key, value] : std::map<std::string, nlohmann::json>{
           {"tune", -1}, {"load", "long"}, {"steps", -3}, {"sample", nullptr}}) {
    nlohmann::json content = to_json(times);
    content[key] = value;
    EXPECT_FALSE(phase_times_from_json(content)) << key;
  }
  EXPECT_FALSE(phase_times_from_json(nlohmann::json()));
}

}  // namespace
}  // namespace marquee::experiments
