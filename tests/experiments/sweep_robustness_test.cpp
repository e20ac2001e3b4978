// Random damage to the shipped sweep files: whatever comes of it is a sweep or a usage error that
// names file and line, in bounded time and memory.
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/text.h"
#include "experiments/sweep_file.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::experiments {
namespace {

constexpr int kMutations = 2000;
constexpr double kMostSeconds = 20;  // of one file on a loaded machine
constexpr std::int64_t kMostBytes = std::int64_t{512} << 20;

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) {
  return static_cast<std::size_t>(random() % limit);
}

const std::vector<std::string>& pieces() {
  static const std::vector<std::string> all{
      "[",      "]",        "{",           "}",       ":",
      ": ",     "- ",       "\n",          "\n  ",    "*a",
      "&a ",    "<<: ",     "? ",          "! ",      "!!int ",
      "~",      "null",     "true",        "-1",      "1e400",
      ".nan",   ".inf",     "0x10",        "010",     "99999999999999999999",
      "0.1",    "\"",       "'",           "|",       ">",
      "---\n",  "...\n",    "%YAML 9\n",   "#",       "\t",
      "\r",     "\x1b[31m", "\xC3\xA9",    "\xFF",    ",",
      "matrix", "exclude",  "include",     "subsets", "zip",
      "keep",   "simulate", "defaults",    "eurosat", "prompt",
      "seed",   "steps",    "checkpoints", "faults",  "drawn/shapes_count"};
  return all;
}

std::string mutated(std::string text, Random& random) {
  const std::size_t changes = 1 + below(random, 6);
  for (std::size_t i = 0; i < changes && !text.empty(); ++i) {
    const std::size_t at = below(random, text.size());
    const std::size_t length = 1 + below(random, std::min<std::size_t>(40, text.size() - at));
    switch (below(random, 6)) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, pieces()[below(random, pieces().size())]);
        break;
      case 3:
        text.insert(below(random, text.size()), text.substr(at, length));
        break;
      case 4:
        text.replace(at, length, pieces()[below(random, pieces().size())]);
        break;
      default: {
        std::string run;
        const std::string& piece = pieces()[below(random, pieces().size())];
        for (std::size_t n = below(random, 300); n > 0; --n) run += piece;
        text.insert(at, run);
      }
    }
  }
  return text;
}

TEST(SweepRobustness, AnyDamageGivesASweepOrAUsageError) {
  const std::filesystem::path shipped = std::filesystem::path(MARQUEE_SOURCE_DIR) / "experiments";
  std::vector<std::string> seeds;
  for (const char* name : {"quickstart.yaml", "few_shot_mini.yaml", "pretrain_mini.yaml"})
    seeds.push_back(cluster::read_file(shipped / name, 1 << 20));
  // The keys that the shipped files leave out.
  seeds.push_back(
      "name: all\nmatrix:\n  task: &t [eurosat, svhn]\n  shots: [5, full]\n  method: [prompt, "
      "none]\n"
      "  seed: [0, 1]\nzip: [{steps: [1, 2], batch: [4, 8]}]\nexclude: [{task: svhn, seed: 1}]\n"
      "include:\n  - {task: *t, shots: 1, method: scratch, seed: 9}\nsubsets: {first: {seed: 0}}\n"
      "oracles: false\nkeep: {checkpoints: 2, samples: none, attempts: done}\n"
      "simulate: {seconds: 0.1, durations: [{seconds: 1, match: {seed: 0}}], faults: [{fault: "
      "crash, match: {seed: [0]}, attempts: [1]}]}\n");

  Random random(20261125);
  const cluster::TemporaryFolder folder;
  const auto file = folder.path() / "sweep.yaml";
  const std::string begin = file.string() + ":";
  const std::int64_t before = cluster::peak_memory_bytes();
  int sweeps = 0, refusals = 0;
  for (int number = 0; number < kMutations; ++number) {
    const std::string text = mutated(seeds[below(random, seeds.size())], random);
    std::ofstream(file, std::ios::binary) << text;
    const double started = cluster::monotonic_seconds();
    try {
      const SweepFile sweep = load_sweep(file);
      EXPECT_FALSE(sweep.runs.empty());
      ++sweeps;
    } catch (const cluster::Error& error) {
      ++refusals;
      const std::string what = error.what();
      EXPECT_EQ(error.kind(), cluster::ErrorKind::usage) << what << "\nof\n" << text;
      EXPECT_TRUE(what.starts_with(begin)) << what;
      EXPECT_NE(what.substr(begin.size()).find_first_of("123456789"), std::string::npos) << what;
      EXPECT_NE(what.substr(begin.size(), 2), "0:") << what;
      EXPECT_FALSE(cluster::control_character(what)) << what;
    } catch (const std::exception& error) {
      FAIL() << error.what() << "\nof\n" << text;
    }
    EXPECT_LT(cluster::monotonic_seconds() - started, kMostSeconds) << text;
  }
  EXPECT_LT(cluster::peak_memory_bytes() - before, kMostBytes);
  // The mutations reach both ends: most damage is refused, some is harmless.
  EXPECT_GT(sweeps, kMutations / 50);
  EXPECT_GT(refusals, kMutations / 4);
}

}  // namespace
}  // namespace marquee::experiments
