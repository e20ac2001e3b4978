// A few-shot set as tokens: every image encoded once, as it is and mirrored, kept in a cache keyed
// by content.
#pragma once

#include <filesystem>
#include <functional>

#include "experiments/run_config.h"
#include "workers/base_model.h"

namespace marquee::workers {

struct TokenSet {
  Tensor ids;      // int64 [n, N]
  Tensor flipped;  // int64 [n, N]; undefined where the task forbids flips
  Tensor labels;   // int64 [n], in [0, classes)
  int classes = 0;
  std::int64_t size() const { return ids.size(0); }
};

// Called with (images done, images in all); may throw to stop.
using CountProgress = std::function<void(std::int64_t done, std::int64_t total)>;

// From <cache>/tokens-<key>.h5, or made and put there. The key covers data, split, chosen images,
// tokenizer, resize rule and numerics version; a torn or damaged file is made again.
TokenSet load_tokens(const experiments::RunConfig& run, const BaseModel& base,
                     const std::filesystem::path& data_dir, const std::filesystem::path& cache,
                     const CountProgress& progress);

}  // namespace marquee::workers
