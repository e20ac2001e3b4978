// Prompts as files: what a run has trained, with a card that says what it is. A safetensors file of
// the trained tensors; the card is JSON in its metadata (docs/file-formats.md). It names no host,
// no user and no folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "experiments/result_record.h"
#include "experiments/run_config.h"
#include "workers/models/parameters.h"

namespace marquee::workers {

struct PromptFile {
  experiments::RunConfig run;
  int classes = 0;
  ParameterMap trained;
  Tensor instance_labels;  // int64 [N] of the training images; undefined where none are told
  std::vector<std::int64_t> class_counts;  // TaskClasses
  std::vector<experiments::MetricValue> metrics;
};

// Durable; returns the SHA-256 of the file. Throws usage for a method whose trained tensors are a
// whole transformer.
std::string write_prompt_file(const std::filesystem::path& path, const PromptFile& prompt);

// The card alone, and everything. Throw environment naming the file for one that is damaged or no
// prompt file.
nlohmann::json read_prompt_card(const std::filesystem::path& path);
PromptFile read_prompt_file(const std::filesystem::path& path);

}  // namespace marquee::workers
