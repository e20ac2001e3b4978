// What changed between two runs, metric by metric, and on average over several such pairs: runs
// that `marquee rerun --set` derived against those that they come from.
//
// Numbers made differently (protocol, network, reference split, counts of images) are never
// subtracted; the reason stands in their place.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace marquee::analysis {

struct RunPair {
  std::string before, after;                  // run ids
  int before_attempt = 0, after_attempt = 0;  // 0: the one that counts
};

struct Measured {
  double value = 0;
  std::optional<double> standard_error{};
  std::int64_t n_generated = 0, n_reference = 0;
  std::string network_hash{};
};

struct MetricDifference {
  std::string metric;
  std::optional<Measured> before{}, after{};
  std::optional<double> difference{};      // after - before
  std::optional<double> standard_error{};  // of that, as if both were independent
  std::string not_subtracted{};            // why there is no difference
};

// One run of a pair.
struct RunSide {
  std::string run_id;
  int attempt = 0;        // whose numbers these are; 0: there is none
  std::string status;     // "" where the database does not know it
  bool finished = false;  // has values, also while it is computed again
  std::string task{}, shots{}, method{}, protocol{}, reference{};
  std::uint64_t seed = 0;
};

struct RunDifference {
  RunSide before, after;
  std::vector<MetricDifference> metrics;  // in the order of a report; none while one has no values
};

struct MeanDifference {
  std::string metric, protocol, network_hash;  // pairs of one kind alone are averaged
  int pairs = 0;
  double mean = 0;
  // Of one pair its own; of several from their spread, unless a run stands in two of them.
  std::optional<double> standard_error{};
};

struct RunDifferences {
  std::vector<RunDifference> pairs;
  std::vector<MeanDifference> means;
};

// Throws environment for a damaged database.
RunDifferences load_differences(const std::filesystem::path& database,
                                const std::vector<RunPair>& pairs);

// Who is compared, and a row for each metric.
std::string pair_text(const RunDifference& pair);
// A block for each pair, then the means.
std::string differences_text(const RunDifferences& differences);
// {"pairs": [...], "means": [...]}; docs/sweeps.md names the keys.
nlohmann::json to_json(const RunDifferences& differences);

}  // namespace marquee::analysis
