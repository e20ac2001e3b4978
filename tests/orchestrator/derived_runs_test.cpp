#include "orchestrator/sweep/derived_runs.h"

#include <functional>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "experiments/simulation.h"
#include "experiments/sweep_inputs.h"

namespace marquee::orchestrator {
namespace {

using experiments::RunConfig;

const std::filesystem::path kAssets = std::filesystem::path(MARQUEE_SOURCE_DIR) / "assets";

RunConfig plain_run() {
  RunConfig run;
  run.task = "drawn/dsprites_location";
  run.shots = "5";
  run.method = "prompt";
  return run;
}

template <typename Change>
RunConfig simulated(Change change) {
  RunConfig run = plain_run();
  change(run);
  experiments::mark_simulated(run);
  return run;
}

RunConfig of_length(int length) {
  return simulated([&](RunConfig& run) { run.prompt_length = length; });
}

std::string id_of(const RunConfig& run) {
  return experiments::run_id(run).text();
}

DerivedRuns derive(const std::vector<RunConfig>& chosen, const std::vector<std::string>& words) {
  return derive_runs(chosen, parse_changes(words), {{}, {}, true});
}

std::string refusal(cluster::ErrorKind kind, const std::function<void()>& action) {
  try {
    action();
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "accepted";
}

void expect_refused(const std::vector<std::string>& words, const std::string& said) {
  const std::string text = refusal(cluster::ErrorKind::usage, [&] { parse_changes(words); });
  EXPECT_NE(text.find(said), std::string::npos) << words.front() << ": " << text;
}

TEST(KeyChanges, AreReadAsInASweepFile) {
  const auto changes = parse_changes({"prompt_length=16", "learning_rate=1e-2", "flip=no",
                                      "marquee_space=embedding", "slot_kind==x=", "seed=7"});
  ASSERT_EQ(changes.size(), 6U);
  EXPECT_EQ(changes[0], (KeyChange{"prompt_length", 16, "prompt_length=16"}));
  EXPECT_EQ(changes[1].value, 0.01);
  EXPECT_EQ(changes[2].value, false);
  EXPECT_EQ(changes[3].value, "embedding");
  EXPECT_EQ(changes[4].value, "=x=");
  EXPECT_EQ(changes[5].value, 7U);
}

TEST(KeyChanges, NameWhatIsWrong) {
  expect_refused({"prompt_length"}, "expected KEY=VALUE");
  expect_refused({"=16"}, "expected KEY=VALUE");
  expect_refused({std::string(5000, 'x') + "=1"}, "expected KEY=VALUE");
  expect_refused({"promt_length=16"},
                 "unknown run key 'promt_length' (did you mean 'prompt_length'?)");
  expect_refused({"\x1b[2J=16"}, "unknown run key '\\x1b[2J'");
  expect_refused({"prompt_length=0x10"}, "'prompt_length' is '0x10'; expected a whole number");
  expect_refused({"prompt_length="}, "'prompt_length' is ''");
  expect_refused({"learning_rate=inf"}, "'learning_rate' is 'inf'; expected a number");
  expect_refused({"flip=\x1b"}, "'flip' is '\\x1b'; expected true or false");
  expect_refused({"steps=3", "steps=4"}, "'steps' is set twice");
  expect_refused({"steps=3", "epochs=4"}, "'steps' and 'epochs'");
  expect_refused(std::vector<std::string>(101, "steps=3"), "more than 100 times");
}

TEST(KeyChanges, OfDataAndWeightsNeedASweepFile) {
  for (const char* word :
       {"task=dtd", "base=mini_ar", "profile=mini", "family=masked", "base_hash=x", "data_hash=x",
        "network_hash=x", "num_classes=3", "numerics_version=2"})
    expect_refused({word}, "write a sweep file");
}

TEST(DerivedRuns, DifferInTheKeysThatAreSet) {
  const RunConfig first = simulated([](RunConfig& run) { run.checkpoint_interval = 7; });
  const RunConfig second = simulated([](RunConfig& run) {
    run.checkpoint_interval = 7;
    run.seed = 1;
  });
  const DerivedRuns derived = derive({first, second}, {"prompt_length=16", "dropout=0"});
  std::vector<RunConfig> expected{first, second};
  for (RunConfig& run : expected) {
    run.prompt_length = 16;
    run.dropout = 0;
  }
  EXPECT_EQ(derived.list.runs, expected);
  EXPECT_EQ(derived.list.from,
            (std::vector<std::vector<std::string>>{{id_of(first)}, {id_of(second)}}));
  EXPECT_EQ(derived.list.set, (std::vector<std::string>{"prompt_length=16", "dropout=0"}));
  EXPECT_TRUE(derived.unchanged.empty());
  EXPECT_EQ(derived.oracles, 0U);
}

TEST(DerivedRuns, ThatBecomeOneKeepAllTheyComeFrom) {
  const RunConfig first = of_length(4), second = of_length(8), third = of_length(16);
  const DerivedRuns derived = derive({first, second, third}, {"prompt_length=16"});
  EXPECT_EQ(derived.list.runs, std::vector<RunConfig>{third});
  EXPECT_EQ(derived.list.from,
            (std::vector<std::vector<std::string>>{{id_of(first), id_of(second)}}));
  EXPECT_EQ(derived.unchanged, std::vector<std::string>{id_of(third)});
  const auto pairs = pairs_of(derived.list);
  ASSERT_EQ(pairs.size(), 2U);
  EXPECT_EQ(pairs[1].before, id_of(second));
  EXPECT_EQ(pairs[1].after, id_of(third));
}

// Keys that the method does not read and those that change no bit are in no id.
TEST(DerivedRuns, AreNoneWhereTheSetChangesNothing) {
  const RunConfig tuned = simulated([](RunConfig& run) { run.method = "finetune"; });
  const DerivedRuns unread = derive({tuned, of_length(4)}, {"prompt_length=16"});
  EXPECT_EQ(unread.list.runs.size(), 1U);
  EXPECT_EQ(unread.unchanged, std::vector<std::string>{id_of(tuned)});
  EXPECT_EQ(derive({tuned}, {"gang=2", "priority=3"}).unchanged.size(), 1U);
}

TEST(DerivedRuns, LeaveOracleRowsOut) {
  const RunConfig oracle = simulated([](RunConfig& run) {
    run.method = "oracle_real";
    run.shots = "full";
  });
  const DerivedRuns derived = derive({oracle, of_length(4)}, {"samples=16"});
  EXPECT_EQ(derived.list.runs.size(), 1U);
  EXPECT_EQ(derived.oracles, 1U);
  EXPECT_NE(
      refusal(cluster::ErrorKind::usage, [] { derive({of_length(4)}, {"method=oracle_real"}); })
          .find("oracle rows"),
      std::string::npos);
}

TEST(DerivedRuns, NameValuesThatARunCannotHave) {
  const auto refused = [](const std::vector<std::string>& words) {
    return refusal(cluster::ErrorKind::usage, [&] { derive({of_length(4)}, words); });
  };
  EXPECT_NE(refused({"prompt_length=0"}).find("'prompt_length' is"), std::string::npos);
  EXPECT_NE(refused({"batch=7"}).find("'micro_batches' is 2"), std::string::npos);
  EXPECT_NE(refused({"method=promt"}).find("did you mean 'prompt'?"), std::string::npos);
  EXPECT_NE(refused({"method=promt"}).find(id_of(of_length(4)).substr(0, 12)), std::string::npos);
}

TEST(DerivedRuns, TakeStepsOverEpochs) {
  const RunConfig run = simulated([](RunConfig& one) { one.epochs = 5; });
  const DerivedRuns derived = derive({run}, {"steps=7"});
  ASSERT_EQ(derived.list.runs.size(), 1U);
  EXPECT_EQ(derived.list.runs[0].epochs, 0);
  EXPECT_EQ(derived.list.runs[0].steps, 7);
}

TEST(DerivedRuns, TakeTheirInputsFromWhatIsThere) {
  RunConfig origin = plain_run();
  experiments::resolve_hashes(origin, kAssets, "");
  const RunInputs here{kAssets, {}};
  const DerivedRuns derived = derive_runs({origin}, parse_changes({"epochs=3"}), here);
  ASSERT_EQ(derived.list.runs.size(), 1U);
  RunConfig expected = plain_run();
  expected.epochs = 3;
  experiments::resolve_hashes(expected, kAssets, "");
  EXPECT_EQ(derived.list.runs[0], expected);
  EXPECT_NE(derived.list.runs[0].steps, origin.steps);
}

// Else the difference would be of more than the keys.
TEST(DerivedRuns, NeedTheInputsOfWhatTheyComeFrom) {
  RunConfig origin = plain_run();
  experiments::resolve_hashes(origin, kAssets, "");
  const auto refused = [](const RunConfig& run, bool as_simulated = false) {
    return refusal(cluster::ErrorKind::environment, [&] {
      derive_runs({run}, parse_changes({"prompt_length=16"}), {kAssets, {}, as_simulated});
    });
  };
  EXPECT_EQ(refused(origin), "accepted");
  const std::string other(64, 'e');
  for (const char* key : {"base_hash", "data_hash", "network_hash"}) {
    RunConfig changed = origin;
    experiments::set_value(changed, key, other);
    EXPECT_NE(refused(changed).find(std::string("planned with ") + key + " " + other),
              std::string::npos)
        << refused(changed);
  }
  RunConfig older = origin;
  older.numerics_version = 2;
  EXPECT_NE(refused(older).find("numerics_version 2, here it would be"), std::string::npos);
  EXPECT_NE(refused(origin, true).find("leave out --simulate"), std::string::npos);
  EXPECT_NE(refused(of_length(4)).find("give --simulate"), std::string::npos);
}

}  // namespace
}  // namespace marquee::orchestrator
