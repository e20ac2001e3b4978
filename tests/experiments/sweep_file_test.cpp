#include "experiments/sweep_file.h"

#include <set>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::experiments {
namespace {

constexpr const char* kSweep = R"(name: small
base: mini
matrix:
  task: [eurosat, drawn/shapes_count]
  shots: [5, 20]
  method: [prompt, none]
  seed: [0, 1]
defaults:
  samples: 64
methods:
  prompt:
    learning_rate: 0.5
)";

class SweepFiles : public testing::Test {
 protected:
  SweepFile load(const std::string& text) const {
    const auto file = folder_.path() / "sweep.yaml";
    cluster::write_file_durably(file, text);
    return load_sweep(file);
  }
  std::string refusal(const std::string& text) const {
    try {
      load(text);
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::usage) << error.what();
      return error.what();
    }
    return "";
  }
  // The sweep with one piece of its text replaced.
  std::string refusal(const std::string& piece, const std::string& by) const {
    std::string text = kSweep;
    const auto at = text.find(piece);
    EXPECT_NE(at, std::string::npos) << piece;
    return refusal(text.replace(at, piece.size(), by));
  }
  cluster::TemporaryFolder folder_;
};

TEST_F(SweepFiles, TasksHaveKeysOfTheirOwnOverThoseOfMethods) {
  const SweepFile sweep =
      load(std::string(kSweep) + "tasks:\n  eurosat: {flip: false, learning_rate: 0.25}\n");
  for (const RunConfig& run : sweep.runs) {
    if (is_oracle(run)) continue;
    EXPECT_EQ(run.flip, run.task != "eurosat");
    const double usual = run.method == "prompt" ? 0.5 : RunConfig{}.learning_rate;
    EXPECT_EQ(run.learning_rate, run.task == "eurosat" ? 0.25 : usual);
  }
  EXPECT_NE(refusal(std::string(kSweep) + "tasks: {eurosta: {flip: false}}\n").find("'eurosat'"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kSweep) + "tasks: {eurosat: {filp: false}}\n").find("'flip'"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kSweep) + "tasks: {eurosat: {crops: 0}}\n").find("'crops' is 0"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kSweep) + "tasks: [eurosat]\n").find("'tasks'"), std::string::npos);
}

TEST_F(SweepFiles, ReadingRulesGoToTheOracleRowsToo) {
  std::string text = kSweep;
  text += "\n";
  const SweepFile sweep =
      load(text.replace(text.find("  samples: 64\n"), 14,
                        "  samples: 64\n  decode: tensorflow\n  on_bad_record: skip\n"));
  for (const RunConfig& run : sweep.runs) {
    EXPECT_EQ(run.decode, "tensorflow") << run.method;
    EXPECT_EQ(run.on_bad_record, "skip") << run.method;
  }
}

TEST_F(SweepFiles, AnOracleRowHasTheHighestPriorityOfItsTask) {
  const SweepFile sweep = load(std::string(kSweep) +
                               "tasks: {eurosat: {priority: 1}}\n"
                               "include:\n  - {task: eurosat, shots: 2, method: prompt, seed: 0, "
                               "priority: 7, slot_kind: '*H100*', slot_memory: 40}\n");
  for (const RunConfig& run : sweep.runs) {
    if (!is_oracle(run)) continue;
    EXPECT_EQ(run.priority, run.task == "eurosat" ? 7 : 0);
  }
  std::string reversed = kSweep;
  reversed.replace(reversed.find("[prompt, none]"), 14, "[none, prompt]");
  for (const RunConfig& run : load(reversed + "  none: {priority: -2}\n").runs)
    EXPECT_EQ(run.priority, run.method == "none" ? -2 : 0) << run.method;
}

TEST_F(SweepFiles, ExpandToEveryCombinationAndTwoOracleRowsATask) {
  const SweepFile sweep = load(kSweep);
  EXPECT_EQ(sweep.runs.size(), 2u * 2 * 2 * 2 + 2 * 2);
  std::set<std::string> ids;
  int oracles = 0;
  for (const RunConfig& run : sweep.runs) {
    ids.insert(run_id(run).text());
    oracles += is_oracle(run) ? 1 : 0;
    EXPECT_EQ(run.samples, 64);
  }
  EXPECT_EQ(ids.size(), sweep.runs.size());
  EXPECT_EQ(oracles, 4);
}

TEST_F(SweepFiles, GiveEachMethodItsOwnKeys) {
  for (const RunConfig& run : load(kSweep).runs)
    EXPECT_EQ(run.learning_rate, run.method == "prompt" ? 0.5 : RunConfig{}.learning_rate)
        << run.method;
}

TEST_F(SweepFiles, LeaveOraclesOutOnRequest) {
  EXPECT_EQ(load(std::string(kSweep) + "oracles: false\n").runs.size(), 16u);
}

TEST_F(SweepFiles, HoldNoRunTwice) {
  std::string text = kSweep;
  text.replace(text.find("[0, 1]"), 6, "[0, 0]");
  EXPECT_EQ(load(text).runs.size(), 8u + 4);
}

TEST_F(SweepFiles, NameFileLineAndTheNearestKey) {
  const std::string error = refusal("samples: 64", "sampels: 64");
  EXPECT_NE(error.find("sweep.yaml:9:"), std::string::npos) << error;
  EXPECT_NE(error.find("'samples'"), std::string::npos) << error;
}

TEST_F(SweepFiles, RefuseUnknownWordsAndWrongTypes) {
  EXPECT_NE(refusal("matrix:", "matrx:").find("'matrix'"), std::string::npos);
  EXPECT_NE(refusal("  seed:", "  sead:").find("'seed'"), std::string::npos);
  EXPECT_NE(refusal("  prompt:\n", "  promt:\n").find("'prompt'"), std::string::npos);
  EXPECT_NE(refusal("samples: 64", "samples: lots").find("whole number"), std::string::npos);
  EXPECT_NE(refusal("0.5", "[1, 2]").find("learning_rate"), std::string::npos);
  EXPECT_NE(refusal("[0, 1]", "0").find("seed"), std::string::npos);
  EXPECT_NE(refusal("[0, 1]", "[]").find("seed"), std::string::npos);
  EXPECT_NE(refusal("eurosat,", "eurosta,").find("'eurosat'"), std::string::npos);
  EXPECT_NE(refusal("[5, 20]", "[5, none]").find("sweep.yaml:"), std::string::npos);
  EXPECT_NE(refusal("name: small\n", "").find("'name'"), std::string::npos);
}

TEST_F(SweepFiles, RefuseAKeyThatStandsTwice) {
  EXPECT_NE(refusal("  samples: 64", "  samples: 64\n  samples: 65").find("sweep.yaml:10: "),
            std::string::npos);
}

TEST_F(SweepFiles, RefuseWhatIsNoYaml) {
  EXPECT_NE(refusal("name: [unclosed").find("sweep.yaml:"), std::string::npos);
  EXPECT_NE(refusal("- a\n- list\n").find("sweep.yaml:"), std::string::npos);
  EXPECT_NE(refusal(""), "");
}

TEST_F(SweepFiles, RefuseMoreRunsThanAnybodyMeans) {
  std::string seeds = "[0";
  for (int i = 1; i < 40000; ++i) seeds += ", " + std::to_string(i);
  EXPECT_NE(refusal("[0, 1]", seeds + "]").find("more than"), std::string::npos);
}

// Runs as "task shots method seed prompt_length learning_rate".
std::vector<std::string> described(const SweepFile& sweep) {
  std::vector<std::string> lines;
  for (const RunConfig& run : sweep.runs) {
    lines.push_back(run.task + " " + run.shots + " " + run.method + " " + std::to_string(run.seed) +
                    " " + std::to_string(run.prompt_length) + " " +
                    nlohmann::json(run.learning_rate).dump());
  }
  return lines;
}

constexpr const char* kGrid = R"(name: grid
matrix:
  prompt_length: [4, 16]
  task: [eurosat, svhn]
  shots: [5]
  method: [prompt, none]
  seed: [0]
zip:
  learning_rate: [0.1, 0.2]
  steps: [100, 200]
oracles: false
)";

TEST_F(SweepFiles, TakeAnyRunKeyAsAnAxisAndZippedOnesTogether) {
  const SweepFile sweep = load(kGrid);
  // `none` reads none of the further axes: one run a task.
  EXPECT_EQ(described(sweep),
            (std::vector<std::string>{"eurosat 5 prompt 0 4 0.1", "eurosat 5 prompt 0 4 0.2",
                                      "eurosat 5 prompt 0 16 0.1", "eurosat 5 prompt 0 16 0.2",
                                      "eurosat 5 none 0 4 0.1", "svhn 5 prompt 0 4 0.1",
                                      "svhn 5 prompt 0 4 0.2", "svhn 5 prompt 0 16 0.1",
                                      "svhn 5 prompt 0 16 0.2", "svhn 5 none 0 4 0.1"}));
  for (const RunConfig& run : sweep.runs) {
    if (run.method != "prompt") continue;
    EXPECT_EQ(run.steps, run.learning_rate == 0.1 ? 100 : 200);
  }
}

TEST_F(SweepFiles, CrossTheListsOfSeveralZips) {
  std::string text = kGrid;
  text.replace(text.find("zip:"), std::string::npos,
               "zip:\n  - {learning_rate: [0.1, 0.2], steps: [1, 2]}\n"
               "  - {weight_decay: [0.1, 0.2, 0.3]}\noracles: false\n");
  // prompt: 2 tasks x 2 lengths x 2 x 3; none: 2 tasks.
  EXPECT_EQ(load(text).runs.size(), 24u + 2);
}

TEST_F(SweepFiles, LeaveOutWhatAnExcludePatternMatches) {
  const std::string text = std::string(kGrid) +
                           "exclude:\n  - {task: svhn, method: prompt}\n"
                           "  - {prompt_length: [16], learning_rate: 0.2}\n";
  EXPECT_EQ(described(load(text)),
            (std::vector<std::string>{"eurosat 5 prompt 0 4 0.1", "eurosat 5 prompt 0 4 0.2",
                                      "eurosat 5 prompt 0 16 0.1", "eurosat 5 none 0 4 0.1",
                                      "svhn 5 none 0 4 0.1"}));
}

TEST_F(SweepFiles, AddIncludedRunsThatNoExcludeTouches) {
  const std::string text = std::string(kGrid) +
                           "exclude: [{method: [prompt, none], task: eurosat}]\n"
                           "include:\n"
                           "  - {task: eurosat, shots: 20, method: prompt, seed: [1, 2]}\n";
  const std::vector<std::string> lines = described(load(text));
  ASSERT_EQ(lines.size(), 5u + 2);
  EXPECT_EQ(lines[5], "eurosat 20 prompt 1 8 0.001");
  EXPECT_EQ(lines[6], "eurosat 20 prompt 2 8 0.001");
}

TEST_F(SweepFiles, MayConsistOfIncludedRunsAlone) {
  EXPECT_EQ(load("name: x\ninclude: [{task: svhn, shots: 5, method: none, seed: 3}]\n").runs.size(),
            1u + 2);
}

TEST_F(SweepFiles, RunANamedSubsetWithTheOraclesOfItsTasks) {
  std::string text = kGrid;
  text.replace(text.find("oracles: false\n"), 15, "");
  text += "subsets:\n  one: {task: svhn, method: none}\n  short: {prompt_length: [4]}\n";
  const auto file = folder_.path() / "sweep.yaml";
  cluster::write_file_durably(file, text);
  const SweepFile one = load_sweep(file, "one");
  ASSERT_EQ(one.runs.size(), 3u);
  EXPECT_EQ(one.runs[0].task, "svhn");
  EXPECT_EQ(one.runs[1].method, "oracle_real");
  EXPECT_EQ(one.runs[2].method, "oracle_reconstruction");
  EXPECT_EQ(one.subsets, (std::vector<std::string>{"one", "short"}));
  EXPECT_EQ(load_sweep(file).runs.size(), 10u + 4);
  try {
    load_sweep(file, "shrt");
    FAIL() << "found";
  } catch (const cluster::Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'short'"), std::string::npos)
        << error.what();
  }
}

TEST_F(SweepFiles, RefusePatternsThatMatchNothingAtTheirLine) {
  const std::string exclude = refusal(std::string(kGrid) + "exclude:\n  - {task: svnh}\n");
  EXPECT_NE(exclude.find("sweep.yaml:13:"), std::string::npos) << exclude;
  EXPECT_NE(exclude.find("did you mean 'svhn'"), std::string::npos) << exclude;
  const std::string subset = refusal(std::string(kGrid) + "subsets: {tiny: {shots: 7}}\n");
  EXPECT_NE(subset.find("subsets.tiny"), std::string::npos) << subset;
  EXPECT_NE(refusal(std::string(kGrid) + "exclude: [{}]\n").find("must name a key"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kGrid) + "exclude: [{tsk: svhn}]\n").find("'task'"),
            std::string::npos);
}

TEST_F(SweepFiles, RefuseZipsOfSeveralLengthsAndKeysGivenTwice) {
  std::string text = kGrid;
  text.replace(text.find("[100, 200]"), 10, "[100]");
  const std::string lengths = refusal(text);
  EXPECT_NE(lengths.find("'steps' has 1 entries; expected 2"), std::string::npos) << lengths;
  text = kGrid;
  text.replace(text.find("  steps:"), 8, "  prompt_length:");
  EXPECT_NE(refusal(text).find("'prompt_length' is given twice"), std::string::npos);
  EXPECT_NE(refusal("name: x\ninclude: [{task: svhn, shots: 5, method: none}]\n").find("'seed'"),
            std::string::npos);
}

TEST_F(SweepFiles, ReadTheScriptOfASimulation) {
  const std::string text =
      std::string(kGrid) +
      "simulate:\n  seconds: 0.5\n  files: false\n"
      "  faults:\n    - {fault: crash, match: {task: svhn}, attempts: [1, 2]}\n";
  SweepFile sweep = load(text);
  EXPECT_EQ(sweep.simulation.seconds, 0.5);
  EXPECT_FALSE(sweep.simulation.files);
  for (const RunConfig& run : sweep.runs) {
    EXPECT_EQ(fault_of(sweep.simulation, run, 2), run.task == "svhn" ? "crash" : "");
    EXPECT_EQ(fault_of(sweep.simulation, run, 3), "");
  }
  const std::string real = run_id(sweep.runs[0]).text();
  mark_simulated(sweep);
  EXPECT_NE(run_id(sweep.runs[0]).text(), real);
}

TEST_F(SweepFiles, RefuseAScriptWithUnknownWords) {
  const std::string grid(kGrid);
  EXPECT_NE(refusal(grid + "simulate: {second: 1}\n").find("'seconds'"), std::string::npos);
  EXPECT_NE(refusal(grid + "simulate: {steps: 0}\n").find("from 1"), std::string::npos);
  EXPECT_NE(refusal(grid + "simulate: {slots: [{host: a}], faults: [{fault: crash, hosts: [b]}]}\n")
                .find("host 'b'"),
            std::string::npos);
  EXPECT_NE(refusal(grid + "simulate: {slots: [{kind: a}]}\n").find("'host' is missing"),
            std::string::npos);
  EXPECT_NE(refusal(grid + "simulate: {files: maybe}\n").find("true or false"), std::string::npos);
  EXPECT_NE(refusal(grid + "simulate: {faults: [{fault: crush}]}\n").find("did you mean 'crash'"),
            std::string::npos);
  EXPECT_NE(
      refusal(grid + "simulate: {faults: [{fault: crash, match: {tusk: x}}]}\n").find("'task'"),
      std::string::npos);
}

TEST_F(SweepFiles, RefuseNamesThatAreNoWord) {
  EXPECT_NE(refusal("name: small", "name: \"a\\nb\"").find("sweep.yaml:1: "), std::string::npos);
  EXPECT_NE(refusal("name: small", "name: \"a\\0b\"").find("U+0000"), std::string::npos);
  EXPECT_NE(refusal("name: small", "name: \"\\e[31mred\"").find("U+001B"), std::string::npos);
  EXPECT_NE(refusal("name: small", "name: ../up").find("'name'"), std::string::npos);
  EXPECT_NE(refusal("name: small", "name: " + std::string(101, 'x')).find("at most 100"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(kSweep) + "subsets: {a b: {seed: 0}}\n").find("name of a subset"),
            std::string::npos);
  std::string text = kSweep;
  text[text.find("small")] = '\0';
  EXPECT_NE(refusal(text).find("sweep.yaml:1: holds a NUL"), std::string::npos);
}

TEST_F(SweepFiles, ShowNoControlCharacterOfTheirPath) {
  const auto file = folder_.path() / "a\n\x1b[31mb.yaml";
  cluster::write_file_durably(file, "nmae: x\n");
  try {
    load_sweep(file);
    FAIL() << "read";
  } catch (const cluster::Error& error) {
    EXPECT_NE(std::string(error.what()).find("a\\n\\x1b[31mb.yaml:1: unknown key 'nmae'"),
              std::string::npos)
        << error.what();
  }
}

// Aliases that would multiply to 10^10 values, nesting deeper than any stack, a file too large.
TEST_F(SweepFiles, RefuseAliasBombsDeepNestingAndHugeFiles) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c <= 'j'; ++c) {
    const std::string last = "*" + std::string(1, static_cast<char>(c - 1));
    bomb += std::string(1, c) + ": &" + c + " [" + last;
    for (int i = 0; i < 9; ++i) bomb += ", " + last;
    bomb += "]\n";
  }
  EXPECT_NE(refusal(bomb + "name: x\n").find("aliases count"), std::string::npos);
  EXPECT_NE(refusal("name: x\nmatrix: " + std::string(100'000, '[')).find("sweep.yaml:2: "),
            std::string::npos);
  EXPECT_NE(refusal("name: x\nmatrix: &m\n  task: *m\n").find("sweep.yaml:3: "), std::string::npos);
  EXPECT_NE(refusal(kSweep + std::string((1 << 20) + 1, '#')).find("sweep.yaml:1: is 10"),
            std::string::npos);
  EXPECT_NE(refusal("samples: 64", "samples: " + std::string(2000, '6')).find("sweep.yaml:9: "),
            std::string::npos);
}

TEST_F(SweepFiles, TakeAliasesThatStandForLittle) {
  std::string text = kSweep;
  text.replace(text.find("[0, 1]"), 6, "&two [0, 1]");
  EXPECT_EQ(
      load(text + "include: [{task: svhn, shots: 1, method: none, seed: *two}]\n").runs.size(),
      16u + 2 + 6);
  EXPECT_NE(refusal(text + "include:\n  - {<<: *two, task: svhn}\n").find("'<<'"),
            std::string::npos);
}

TEST_F(SweepFiles, RefuseKeysThatStandTwiceAnywhere) {
  EXPECT_NE(refusal(std::string(kSweep) + "name: other\n").find("sweep.yaml:13: key 'name'"),
            std::string::npos);
  EXPECT_NE(refusal("seed: [0, 1]", "seed: [0, 1]\n  seed: [2]").find("sweep.yaml:8: key 'seed'"),
            std::string::npos);
}

TEST_F(SweepFiles, RefuseNumbersThatAreNoneOrTooLarge) {
  for (const char* value : {"0x10", "010", "1e3", "1_000", "99999999999", "+", "6 4", "1.0"}) {
    const std::string error = refusal("samples: 64", std::string("samples: ") + value);
    EXPECT_NE(error.find("sweep.yaml:9: 'samples' is"), std::string::npos) << value << error;
    EXPECT_NE(error.find("whole number"), std::string::npos) << value << error;
  }
  for (const char* value : {".nan", ".inf", "-.inf", "1e999", "0x1p3", "nan", "inf"}) {
    const std::string error = refusal("0.5", value);
    EXPECT_NE(error.find("sweep.yaml:12: 'learning_rate' is"), std::string::npos) << value << error;
  }
  EXPECT_NE(refusal("seed: [0, 1]", "seed: [0..9]").find("sweep.yaml:7: 'seed' is '0..9'"),
            std::string::npos);
  EXPECT_NE(refusal("seed: [0, 1]", "seed: [-1]").find("sweep.yaml:7: "), std::string::npos);
  EXPECT_NE(refusal("seed: [0, 1]", "seed: [18446744073709551616]").find("sweep.yaml:7: "),
            std::string::npos);
  EXPECT_NE(refusal("seed: [0, 1]", "seed: [9223372036854775808]").find("sweep.yaml:7: 'seed' is"),
            std::string::npos);
  EXPECT_EQ(
      load(std::string(kSweep).replace(std::string(kSweep).find("[0, 1]"), 6, "[+7]")).runs[0].seed,
      7u);
}

TEST_F(SweepFiles, RefuseEmptyListsAndMappings) {
  for (const char* text :
       {"zip: {}\n", "zip: {steps: []}\n", "zip: [{steps: [1]}, {}]\n", "zip: []\n",
        "exclude: []\n", "exclude: {}\n", "include: []\n", "include: [{}]\n", "subsets: []\n",
        "subsets: {x: {}}\n", "subsets: {x: {seed: []}}\n", "methods: [prompt]\n", "keep: last\n",
        "keep: {checkpoints: [1]}\n", "simulate: {durations: []}\n"}) {
    const std::string error = refusal(std::string(kSweep) + text);
    EXPECT_NE(error.find("sweep.yaml:1"), std::string::npos) << text << error;
  }
}

TEST_F(SweepFiles, RefuseToExcludeEveryRun) {
  EXPECT_NE(refusal(std::string(kSweep) + "exclude:\n  - {seed: [0, 1]}\n")
                .find("sweep.yaml:14: 'exclude' leaves out every run"),
            std::string::npos);
  // What is included stays.
  EXPECT_EQ(load(std::string(kSweep) + "exclude:\n  - {seed: [0, 1]}\n"
                                       "include: [{task: svhn, shots: 1, method: none, seed: 3}]\n")
                .runs.size(),
            1u + 2);
}

TEST_F(SweepFiles, RefusePatternsThatWouldTakeMinutes) {
  std::string seeds = "[0";
  for (int i = 1; i < 10'000; ++i) seeds += ", " + std::to_string(i);
  const std::string text =
      std::string(kSweep).replace(std::string(kSweep).find("[0, 1]"), 6, seeds + "]");
  EXPECT_NE(refusal(text + "exclude:\n  - {seed: " + seeds + "]}\n").find("comparisons"),
            std::string::npos);
}

TEST_F(SweepFiles, ReadWhatToKeep) {
  EXPECT_EQ(load(kSweep).keep, KeepPolicy{});
  const SweepFile sweep =
      load(std::string(kSweep) + "keep: {checkpoints: 3, samples: none, attempts: done}\n");
  EXPECT_EQ(sweep.keep.checkpoints, 3);
  EXPECT_FALSE(sweep.keep.samples);
  EXPECT_FALSE(sweep.keep.failed_attempts);
  EXPECT_EQ(run_id(sweep.runs[0]), run_id(load(kSweep).runs[0]));
  const std::string error = refusal(std::string(kSweep) + "keep:\n  checkpoints: lest\n");
  EXPECT_NE(error.find("sweep.yaml:14: 'checkpoints' is 'lest' (did you mean 'last'?)"),
            std::string::npos)
      << error;
  EXPECT_NE(refusal(std::string(kSweep) + "keep: {checkpoint: last}\n").find("'checkpoints'"),
            std::string::npos);
}

TEST_F(SweepFiles, ScriptDurationsOfSimulatedRuns) {
  const SweepFile sweep = load(std::string(kSweep) +
                               "simulate:\n  seconds: 1\n  checkpoints: 2\n  durations:\n"
                               "    - {seconds: 3, match: {method: prompt, seed: 0}}\n"
                               "    - {seconds: 2, match: {method: prompt}}\n");
  EXPECT_EQ(sweep.simulation.checkpoints, 2);
  for (const RunConfig& run : sweep.runs) {
    EXPECT_EQ(seconds_of(sweep.simulation, run),
              run.method != "prompt" ? 1 : (run.seed == 0 ? 3 : 2));
  }
  const Simulation again = simulation_from_json(to_json(sweep.simulation));
  EXPECT_EQ(seconds_of(again, sweep.runs[0]), seconds_of(sweep.simulation, sweep.runs[0]));
  EXPECT_NE(refusal(std::string(kSweep) + "simulate: {durations: [{seconds: 3}]}\n")
                .find("'match' is missing"),
            std::string::npos);
}

TEST(ShippedSweeps, AreReadAndHaveTheRunsTheyPromise) {
  const std::filesystem::path folder = std::filesystem::path(MARQUEE_SOURCE_DIR) / "experiments";
  EXPECT_EQ(load_sweep(folder / "quickstart.yaml").runs.size(), 2u * 3 + 4);
  // Three seeds at 5 shots, one at the three others; none once; two oracle rows; for four tasks.
  const std::size_t of_a_task = 3 * (3 + 3) + 1 + 2;
  EXPECT_EQ(load_sweep(folder / "few_shot_mini.yaml").runs.size(), 4 * of_a_task);
  EXPECT_EQ(load_sweep(folder / "few_shot_mini.yaml", "eurosat").runs.size(), of_a_task);
  // Both bases: three methods and none, and two oracle rows, for two tasks.
  EXPECT_EQ(load_sweep(folder / "base_family_mini.yaml").runs.size(), 2u * 2 * (3 + 1 + 2));
  // All of them in one results folder are the 153 runs of docs/ablations.
  std::set<std::string> ablations;
  for (const char* factor : {"methods", "length", "factors", "conditions", "marquee"}) {
    const auto file = folder / (std::string("ablation_") + factor + "_mini.yaml");
    for (const RunConfig& run : load_sweep(file).runs)
      ablations.insert(run.base + run_id(run).text());  // an id knows a base by its hash
  }
  EXPECT_EQ(ablations.size(), 153u);
  for (const RunConfig& run : load_sweep(folder / "selection_mini.yaml").runs) {
    EXPECT_EQ(run.reference, "val200") << "settings are never chosen on test images";
    EXPECT_GE(run.seed, 10u) << "no seed of the comparison";
  }
}

TEST(ShippedSweeps, HaveTheFormsThatTheirNamesSay) {
  const std::filesystem::path folder = std::filesystem::path(MARQUEE_SOURCE_DIR) / "experiments";
  std::set<std::string> all_tasks;
  for (const char* name : {"vtab", "few_shot", "ablation_length", "ablation_factors",
                           "ablation_conditions", "ablation_marquee", "base_family"}) {
    const SweepFile large = load_sweep(folder / (std::string(name) + ".yaml"));
    EXPECT_EQ(large.name, name);
    for (const RunConfig& run : large.runs) {
      EXPECT_EQ(run.profile, "imagenet256") << name;
      all_tasks.insert(run.task);
    }
    const SweepFile small = load_sweep(folder / (std::string(name) + "_mini.yaml"));
    EXPECT_EQ(small.name, std::string(name) + "_mini");
    EXPECT_LT(small.runs.size(), large.runs.size());
    std::set<std::string> methods;
    for (const RunConfig& run : large.runs) methods.insert(run.method);
    for (const RunConfig& run : small.runs) {
      EXPECT_EQ(run.profile, "mini") << name;
      EXPECT_TRUE(run.task == "eurosat" || run.task.starts_with("drawn/")) << run.task;
      EXPECT_TRUE(is_oracle(run) || methods.contains(run.method)) << name << " " << run.method;
    }
    EXPECT_GT(load_sweep(folder / (std::string(name) + "_mini.yaml"), "ci").runs.size(), 2u);
  }
  EXPECT_EQ(all_tasks.size(), 19u);
  std::set<std::string> shots;
  for (const RunConfig& run : load_sweep(folder / "vtab.yaml").runs)
    if (run.method == "prompt") shots.insert(run.shots);
  EXPECT_EQ(shots, (std::set<std::string>{"full", "vtab1k"}));
}

}  // namespace
}  // namespace marquee::experiments
