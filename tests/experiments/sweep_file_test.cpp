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
  EXPECT_NE(refusal("  samples: 64", "  samples: 64\n  samples: 65").find("twice"),
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

TEST(ShippedSweeps, AreReadAndHaveTheRunsTheyPromise) {
  const std::filesystem::path folder = std::filesystem::path(MARQUEE_SOURCE_DIR) / "experiments";
  EXPECT_EQ(load_sweep(folder / "quickstart.yaml").runs.size(), 2u * 3 + 4);
  EXPECT_EQ(load_sweep(folder / "eurosat_mini.yaml").runs.size(), 2u * 4 * 2 + 2);
}

}  // namespace
}  // namespace marquee::experiments
