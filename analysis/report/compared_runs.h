// The runs that a side of a comparison names.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/report/paired_comparison.h"
#include "experiments/run_config.h"

namespace marquee::analysis {

struct ComparedMetric {
  double value = 0;
  std::int64_t n_generated = 0, n_reference = 0;
  std::string network_hash;
};

struct ComparedRun {
  std::string run_id;
  experiments::RunConfig config;
  nlohmann::json content;  // to_json(config)
  std::map<std::string, ComparedMetric> metrics;

  std::string cell() const;  // "dtd, 5 shots, seed 2"
};

struct ComparedSide {
  std::string name;               // as the user wrote it
  bool mixed = false;             // a sweep or a database: holds several methods on purpose
  std::vector<ComparedRun> runs;  // finished ones, no oracle rows (but one named by its id)
};

// Throws as compare_sides.
ComparedSide load_side(const std::string& text, const CompareOptions& options);

}  // namespace marquee::analysis
