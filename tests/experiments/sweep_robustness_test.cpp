// Random damage to the shipped sweep files and to a references.yaml: whatever comes of it is read
// or a usage error that names file and line, in bounded time and memory.
#include <fstream>
#include <functional>
#include <random>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/text.h"
#include "experiments/cited_numbers.h"
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
      "[",       "]",        "{",           "}",       ":",
      ": ",      "- ",       "\n",          "\n  ",    "*a",
      "&a ",     "<<: ",     "? ",          "! ",      "!!int ",
      "~",       "null",     "true",        "-1",      "1e400",
      ".nan",    ".inf",     "0x10",        "010",     "99999999999999999999",
      "0.1",     "\"",       "'",           "|",       ">",
      "---\n",   "...\n",    "%YAML 9\n",   "#",       "\t",
      "\r",      "\x1b[31m", "\xC3\xA9",    "\xFF",    ",",
      "matrix",  "exclude",  "include",     "subsets", "zip",
      "keep",    "simulate", "defaults",    "eurosat", "prompt",
      "seed",    "steps",    "checkpoints", "faults",  "drawn/shapes_count",
      "numbers", "citation", "value",       "page",    "https://"};
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

// `read` takes the file's path. Of `one_of_read` damaged files at least one is harmless.
void damage(const std::vector<std::string>& seeds, int mutations, int one_of_read,
            const std::function<void(const std::filesystem::path&)>& read) {
  Random random(20261125);
  const cluster::TemporaryFolder folder;
  const auto file = folder.path() / "file.yaml";
  const std::string begin = file.string() + ":";
  const std::int64_t before = cluster::peak_memory_bytes();
  int whole = 0, refusals = 0;
  for (int number = 0; number < mutations; ++number) {
    const std::string text = mutated(seeds[below(random, seeds.size())], random);
    std::ofstream(file, std::ios::binary) << text;
    const double started = cluster::monotonic_seconds();
    try {
      read(file);
      ++whole;
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
  EXPECT_GT(whole, mutations / one_of_read);
  EXPECT_GT(refusals, mutations / 4);
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
  damage(seeds, kMutations, 50,
         [](const std::filesystem::path& file) { EXPECT_FALSE(load_sweep(file).runs.empty()); });
}

TEST(SweepRobustness, AnyDamageGivesCitedNumbersOrAUsageError) {
  const std::string text =
      "references:\n  author2024: {citation: \"A. Author, A Paper, 2024\", url: https://a.b/c}\n"
      "  other: &o {citation: B. Other}\nnumbers:\n"
      "  - {reference: author2024, generator: A-GAN, task: eurosat, shots: 5, metric: fid, value: "
      "12.34,\n     protocol: 10k samples, page: 7}\n"
      "  - reference: other\n    generator: B\n    task: dtd\n    shots: full\n    metric: kid\n"
      "    value: -1.5e-3\n    protocol: clean\n    page: p. 2\n    note: of its appendix\n";
  damage({text}, kMutations, 50, [](const std::filesystem::path& file) {
    EXPECT_FALSE(read_cited_numbers(file, {"fid", "kid"}).empty());
  });
}

}  // namespace
}  // namespace marquee::experiments
