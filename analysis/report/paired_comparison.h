// Two sides of an experiment, pair by pair: methods, configurations, runs, sweeps or databases over
// the same tasks, shots and seeds (`marquee compare`).
//
// Only numbers that were made alike are subtracted: same base, protocol, feature network, reference
// split and counts of images in every pair, unless the caller says across what to compare.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "analysis/report/paired_statistics.h"
#include "analysis/report/query.h"
#include "analysis/report/table.h"
#include "experiments/cited_numbers.h"

namespace marquee::analysis {

struct CompareOptions {
  std::filesystem::path results;       // where sides are looked for that name no other
  std::vector<std::string> metrics{};  // empty: all that every pair has
  std::set<std::string> across{};      // of compare_conditions(): may differ
  std::uint64_t seed = 0;              // of the bootstrap
  QueryLimits limits{};
};

// What has to be the same on both sides of a pair: base, protocol, network, reference, n_generated,
// n_reference, numerics.
const std::vector<std::string>& compare_conditions();

// Differences "other - first" of one metric.
struct MetricComparison {
  std::string metric;
  bool lower_is_better = true;
  double mean_first = 0, mean_other = 0;  // over pairs
  PairedSummary pairs;                    // every task x shots x seed by itself
  // Means over shots and seeds of each task: pairs of one task share its images and are no
  // independent witnesses. `pairs` counts tasks here.
  PairedSummary tasks;
  double p_holm = 1;        // of `pairs`, adjusted over all metrics and sides shown; 1 without p
  double p_holm_tasks = 1;  // likewise of `tasks`
  std::vector<std::pair<std::string, PairedSummary>> groups;  // of pairs, by VTAB group
};

struct SideComparison {
  std::string first, other;  // as the user named them
  std::size_t pairs = 0, tasks = 0;
  std::set<std::pair<std::string, std::string>> cells;  // task and shots of pairs
  std::vector<std::string> unpaired;                    // "first: dtd, 5 shots, seed 2"
  std::vector<std::string> made;    // "base mini", "protocol mini-v1", ...: both sides' conditions
  std::vector<std::string> across;  // conditions that differ, and how; the caller has allowed it
  std::vector<MetricComparison> metrics;
};

// Each side is text: a method ("prompt"); a run id or the first eight or more of its digits;
// filters with spaces between them ("method=prompt prompt_length=16", "sweep=ablation"); a results
// folder or database, alone or in front of one of these. Every side but the first is compared with
// the first. Throws usage for a side that is none of these, holds nothing that is finished, holds
// several runs for one task, shots and seed where that is ambiguous, has no pair, or was made
// otherwise than the first; environment for a damaged file.
std::vector<SideComparison> compare_sides(const std::vector<std::string>& sides,
                                          const CompareOptions& options);

// Tables with their explanations: "table", "markdown" or "latex". Beneath them stand those of
// `cited` that are of a task, shots and metric compared; in JSON they are each comparison's
// "cited".
std::string compare_text(const std::vector<SideComparison>& comparisons, const std::string& format,
                         const std::vector<experiments::CitedNumber>& cited = {});
nlohmann::json to_json(const std::vector<SideComparison>& comparisons,
                       const std::vector<experiments::CitedNumber>& cited = {});

}  // namespace marquee::analysis
