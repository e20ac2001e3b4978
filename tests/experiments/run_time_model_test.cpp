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

TEST(RunTimeModel, PrefersThisSweepAmongRunsThatAreAsMuchAlike) {
  RunTimeModel model("here");
  PhaseTimes slow = times_of(config("prompt"));
  slow.tune *= 10;
  model.add(config("prompt"), "here", slow);
  RunConfig other = config("prompt");
  other.task = "svhn";
  model.add(other, "here", times_of(other), RunTimeModel::Source::this_sweep);
  // The same but for the seed comes before another task of this sweep.
  EXPECT_NEAR(model.predict(config("prompt", 1))->seconds, 2 + 300 + 80, 1e-9);
  model.add(config("prompt"), "here", times_of(config("prompt")), RunTimeModel::Source::this_sweep);
  EXPECT_NEAR(model.predict(config("prompt", 1))->seconds, 2 + 30 + 80, 1e-9);
  EXPECT_EQ(model.predict(config("prompt", 1))->finished_runs, 1);
}

TEST(RunTimeModel, KnowsWhenSomethingIsSafe) {
  RunTimeModel model("here");
  for (const char* method : {"prompt", "none"})
    model.add(config(method), "here", times_of(config(method)));
  // Loading, encoding and 50 steps.
  EXPECT_NEAR(model.predict(config("prompt"))->to_checkpoint, 1 + 5, 1e-9);
  EXPECT_NEAR(model.predict(config("prompt"), 290)->to_checkpoint, 1 + 1, 1e-9);
  RunConfig rare = config("prompt");
  rare.checkpoint_interval = 1000;
  EXPECT_NEAR(model.predict(rare)->to_checkpoint, 1 + 30, 1e-9);
  // What writes no checkpoint must reach its end.
  EXPECT_NEAR(model.predict(config("none"))->to_checkpoint, 2 + 80, 1e-9);
  EXPECT_NEAR(model.predict(config("prompt"), 300)->to_checkpoint, 2 + 80, 1e-9);
}

TEST(RunTimeModel, CountsTheMembersOfAGang) {
  RunTimeModel model("here");
  RunConfig pair = config("prompt");
  pair.gang = 2;
  PhaseTimes times = times_of(pair);
  times.tune /= 2;
  model.add(pair, "here", times);
  EXPECT_NEAR(model.predict(pair)->seconds, 2 + 15 + 80, 1e-9);
  EXPECT_NEAR(model.predict(config("prompt"))->seconds, 2 + 30 + 80, 1e-9);
}

TEST(RunTimeModel, KnowsWhatAUnitOfCostTakes) {
  RunTimeModel model("here");
  EXPECT_EQ(model.seconds_of_cost(), 0);
  const RunConfig run = config("prompt");
  model.add(run, "here", times_of(run));
  EXPECT_NEAR(model.seconds_of_cost() * expected_cost(run), 2 + 30 + 80, 1e-9);
}

TEST(RunTimeModel, HashesWhatTheIdHoldsButForTheSeed) {
  const RunConfig run = config("prompt");
  EXPECT_EQ(hash_but_for_seed(run), hash_but_for_seed(config("prompt", 9)));
  RunConfig other = run;
  other.gang = 2;
  other.lora_rank = 3;
  EXPECT_EQ(hash_but_for_seed(run), hash_but_for_seed(other));
  const nlohmann::json content = to_json(run);
  for (const char* key : {"task", "shots", "method", "steps", "learning_rate", "flip", "samples"}) {
    nlohmann::json changed = content;
    if (content[key].is_string()) changed[key] = content[key].get<std::string>() + "x";
    if (content[key].is_boolean()) changed[key] = !content[key].get<bool>();
    if (content[key].is_number_integer()) changed[key] = content[key].get<int>() + 1;
    if (content[key].is_number_float()) changed[key] = content[key].get<double>() + 0.5;
    EXPECT_NE(hash_but_for_seed(run_config_from_json(changed)), hash_but_for_seed(run)) << key;
  }
}

TEST(ExpectedCost, GrowsWithStepsOnlyWhereTheMethodTunes) {
  RunConfig run;
  run.method = "none";
  run.samples = 10;
  run.steps = 5;
  const double untuned = expected_cost(run);
  run.steps = 5000;
  EXPECT_EQ(expected_cost(run), untuned);
  run.method = "prompt";
  EXPECT_GT(expected_cost(run), untuned);
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
