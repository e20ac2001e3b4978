// result.h5 (docs/file-formats.md) and the other files that a finished attempt leaves.
#pragma once

#include <filesystem>
#include <string>

#include "datasets/image.h"
#include "experiments/result_record.h"
#include "experiments/run_config.h"
#include "workers/models/parameters.h"
#include "workers/tuning/token_set.h"

namespace marquee::workers {

struct ResultContent {
  const experiments::RunConfig& run;
  const experiments::ResultRecord& record;
  ParameterMap trained;        // empty where nothing was trained
  std::vector<double> losses;  // of each step
  Tensor tokens;               // int64 [n, N]; undefined for oracle rows
  Tensor labels;               // int64 [n]
  std::vector<datasets::Image> images;
  TokenSet training;                       // what it was tuned on; without images where it was not
  std::vector<std::int64_t> class_counts;  // TaskClasses
};

// Written aside, closed, sealed, opened again and checked, renamed. Returns the seal (SHA-256).
std::string write_result(const std::filesystem::path& file, const ResultContent& content);

struct StoredResult {
  experiments::RunConfig run;
  ParameterMap trained;
  Tensor training_labels;  // int64 [N] of the images it was tuned on; undefined where it was not
  std::vector<std::int64_t> class_counts;  // TaskClasses
};
// Throws environment for a damaged file.
StoredResult read_result(const std::filesystem::path& file);
// The tokens of its images, int64 [n, N]. Throws environment for a damaged file, usage for an
// oracle row, which has none.
Tensor read_tokens(const std::filesystem::path& file);
// Whether an HDF5 file is one of these.
bool is_result(const std::filesystem::path& file);

// SHA-256 over names, shapes and bytes, so that equal tensors give equal hashes; "" for none.
std::string hash_tensors(const ParameterMap& tensors);

}  // namespace marquee::workers
