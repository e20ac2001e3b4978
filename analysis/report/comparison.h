// Methods side by side, by task and shots: what a sweep is run for.
//
// Runs that differ only in their seed are one row. Where a task, shots and method have several
// configurations, the row's name says in which keys they differ.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "experiments/run_config.h"

namespace marquee::analysis {

struct MetricSummary {
  double mean = 0;  // over seeds
  // Of one seed: standard error of the metric; of several: standard deviation over them.
  double spread = 0;
  int seeds = 0;
  std::map<std::uint64_t, double> by_seed{};  // empty for images from outside
};

// One finished run of a row.
struct RunEntry {
  std::string run_id;
  int attempt = 0;
  std::uint64_t seed = 0;
};

struct ComparisonRow {
  std::string task, shots, method;
  bool oracle = false;
  bool outside = false;  // images that no run here has made (marquee evaluate --out)
  std::string variant;  // "steps=300, learning_rate=0.1" where needed to tell rows apart; what most
                        // of them share is left out
  std::string protocol, network_hash, reference;
  std::string budget;  // "300 steps of 32 images"; empty where nothing is trained
  std::map<std::string, MetricSummary> metrics;
  std::int64_t trainable_parameters = 0;
  double seconds = 0;  // mean over seeds
  std::int64_t n_generated = 0, n_reference = 0;
  experiments::RunConfig config;   // of one of its runs
  std::vector<RunEntry> finished;  // by seed
  int unfinished = 0;              // runs without a result (yet)
  std::set<std::string> waiting;   // their statuses: pending, running, failed, cancelled

  std::string name() const { return variant.empty() ? method : method + " (" + variant + ")"; }
};

struct Comparison {
  std::map<std::string, int> statuses;  // runs by status
  std::vector<ComparisonRow> rows;      // tasks as in the registry, shots ascending, oracles last
};

// "fid_mini", "kid_mini", "precision", ...: in the order of a report.
const std::vector<std::string>& metric_names();
bool lower_is_better(const std::string& metric);
// Group of a task, "own" for one that is not known here: somebody else may have written the file.
std::string group_name(const std::string& task);
// In the registry; behind all of them for one that is not known here.
std::size_t place_of_task(const std::string& task);
// Metrics that some row has.
std::vector<std::string> metrics_of(const std::vector<const ComparisonRow*>& rows);
// Rows below each other, whatever their tasks: shots ascending, methods as named, images from
// outside behind them, oracles last; of equal ones in their order.
std::vector<const ComparisonRow*> stacked(std::vector<const ComparisonRow*> rows);

// `sweep` "": every run. Throws environment for a damaged database.
Comparison load_comparison(const std::filesystem::path& database, const std::string& sweep = "");

// Whether `shots` is a number of images a class, and no named set.
bool counts_images(const std::string& shots);
std::string shots_text(const std::string& shots);  // "5 shots", "vtab1k"
// By which shots are ordered: numbers of images first, then vtab1k, then full.
long place_of_shots(const std::string& shots);
// As many of its digits as pages and tables show.
std::string short_hash(const std::string& hash);

}  // namespace marquee::analysis
