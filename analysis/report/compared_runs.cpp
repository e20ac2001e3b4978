#include "analysis/report/compared_runs.h"

#include <algorithm>
#include <sstream>

#include "analysis/report/guarded_reader.h"
#include "analysis/report/query_words.h"
#include "cluster/error.h"
#include "cluster/suggest.h"
#include "cluster/text.h"
#include "experiments/results_folder.h"

namespace marquee::analysis {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kFewestDigits = 8, kIdDigits = 64;

// Where a word names a results folder or a database, that file.
std::optional<fs::path> database_at(const std::string& word) {
  std::error_code error;
  const fs::path path(word);
  if (fs::is_directory(path, error) && fs::exists(path / experiments::kPublishedFile, error))
    return path / experiments::kPublishedFile;
  if (path.extension() == ".sqlite" && fs::is_regular_file(path, error)) return path;
  return std::nullopt;
}

bool is_id_start(const std::string& word) {
  return word.size() >= kFewestDigits && word.size() <= kIdDigits &&
         word.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Spaces end a word; a folder with spaces in its name can be a side as a whole alone.
std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

void read_runs(GuardedReader& reader, const std::string& condition, ComparedSide& side,
               const fs::path& database) {
  std::map<std::string, ComparedRun> runs;
  const std::string chosen = "SELECT run_id FROM results WHERE " + condition;
  try {
    reader.read(
        "SELECT run_id, config FROM runs WHERE counting_attempt IS NOT NULL AND run_id IN (" +
            chosen + ")",
        [](SQLite::Statement&) {},
        [&](SQLite::Statement& row) {
          ComparedRun run;
          run.run_id = row.getColumn(0).getString();
          run.config = experiments::run_config_from_json(json::parse(row.getColumn(1).getString()));
          run.content = experiments::to_json(run.config);
          runs[run.run_id] = std::move(run);
        });
    reader.read(
        "SELECT run_id, metric, value, n_generated, n_reference, network_hash FROM metrics WHERE "
        "run_id IN (" +
            chosen + ")",
        [](SQLite::Statement&) {},
        [&](SQLite::Statement& row) {
          const auto run = runs.find(row.getColumn(0).getString());
          if (run == runs.end()) return;
          run->second.metrics[row.getColumn(1).getString()] = {
              row.getColumn(2).getDouble(), row.getColumn(3).getInt64(),
              row.getColumn(4).getInt64(), row.getColumn(5).getString()};
        });
  } catch (const json::exception& error) {
    cluster::throw_environment(database.string() +
                               ": configuration of a run is damaged: " + error.what());
  }
  for (auto& [id, run] : runs) side.runs.push_back(std::move(run));
}

}  // namespace

std::string ComparedRun::cell() const {
  return config.task + ", " + config.shots + " shots, seed " + std::to_string(config.seed);
}

ComparedSide load_side(const std::string& text, const CompareOptions& options) {
  ComparedSide side;
  side.name = cluster::printable(text);
  std::vector<std::string> words = words_of(text);
  fs::path database;
  if (const auto whole = database_at(text)) {
    database = *whole;
    words.clear();
    side.mixed = true;
  } else if (!words.empty()) {
    if (const auto first = database_at(words[0])) {
      database = *first;
      words.erase(words.begin());
      side.mixed = words.empty();
    }
  }
  if (database.empty()) {
    if (options.results.empty()) {
      cluster::throw_usage("side '" + side.name +
                           "' is no results folder; --out DIR says where its runs are");
    }
    database = options.results;
  }
  bool by_id = false, by_filters = false;
  std::string condition = "method NOT IN ('oracle_real', 'oracle_reconstruction')";
  const std::vector<std::string>& methods = experiments::method_names();
  if (words.size() == 1 && std::find(methods.begin(), methods.end(), words[0]) != methods.end()) {
    condition = "method = '" + words[0] + "'";
  } else if (words.size() == 1 && is_id_start(words[0])) {
    by_id = true;
    condition = "run_id GLOB '" + words[0] + "*'";
  } else if (!words.empty()) {
    if (words.size() == 1 && words[0].find_first_of("=<>~!") == std::string::npos) {
      cluster::throw_usage("side '" + side.name + "' is no method" +
                           cluster::did_you_mean(words[0], methods) +
                           ", run id (8 digits or more), filter (task=dtd) or results folder");
    }
    by_filters = true;
    condition += " AND " + condition_of_filters(database, words, options.limits);
    // All of a sweep is looked at as it is; whoever names a method means one configuration.
    side.mixed = std::none_of(words.begin(), words.end(),
                              [](const std::string& word) { return word.starts_with("method="); });
  } else if (!side.mixed) {
    cluster::throw_usage("a side is empty; name a method, run, filters or results folder");
  }
  GuardedReader reader(database, options.limits);
  read_runs(reader, condition, side, database);
  if (by_id && side.runs.size() > 1) {
    cluster::throw_usage("run '" + side.name + "' could be any of " +
                         std::to_string(side.runs.size()) + " runs; give more digits");
  }
  if (side.runs.empty()) {
    const std::string hint = by_filters ? unknown_values_text(database, words) : "";
    cluster::throw_usage("side '" + side.name + "' holds no finished run in " + database.string() +
                         (hint.empty() ? "" : ": " + hint));
  }
  return side;
}

}  // namespace marquee::analysis
