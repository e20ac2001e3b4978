// Two runs, or two attempts of one, side by side: in what their configurations differ, how they
// were made, whether what they made is the same to the last bit, and their numbers (`marquee
// diff`).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "analysis/report/run_differences.h"

namespace marquee::analysis {

struct FieldDifference {
  std::string field;             // "prompt_length", "timing/tune"
  nlohmann::json before, after;  // null where one has none
};

struct RunDiff {
  std::vector<FieldDifference> configuration;
  std::vector<FieldDifference> made;      // of fingerprint and provenance, without timing
  std::vector<FieldDifference> content;   // hashes of what was made: those that differ
  std::vector<std::string> same_content;  // and names of those that are equal
  RunDifference numbers;
};

// Members of two objects that are not equal, in byte order, those of objects within by their path.
std::vector<FieldDifference> field_differences(const nlohmann::json& before,
                                               const nlohmann::json& after);

// Throws usage for an attempt that is not there, environment for a damaged database. The runs are
// there.
RunDiff load_run_diff(const std::filesystem::path& database, const RunPair& pair);

std::string run_diff_text(const RunDiff& diff);
nlohmann::json to_json(const RunDiff& diff);

}  // namespace marquee::analysis
