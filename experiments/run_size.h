// How large a run is, from the sizes of its base: bytes on disk and memory of its trainer. Bounds
// worked out from shapes, for `marquee plan`; a finished run's own peak is better where one is
// known (phase_times.h). Pure.
#pragma once

#include <cstdint>

#include "datasets/image_counts.h"
#include "experiments/base_manifest.h"
#include "experiments/run_config.h"

namespace marquee::experiments {

struct RunSize {
  std::int64_t trained_numbers = 0;
  std::int64_t checkpoint_bytes = 0;     // of one; 0 where nothing is tuned
  std::int64_t result_bytes = 0;         // result.h5 and the small files beside it
  std::int64_t samples_bytes = 0;        // samples.png and the small pictures beside it
  std::int64_t token_cache_bytes = 0;    // of its few-shot set, shared by the methods
  std::int64_t feature_cache_bytes = 0;  // of its task's test images, shared by all runs of it
  std::int64_t memory_bytes = 0;

  bool operator==(const RunSize&) const = default;
};

// Trainable numbers of the run's prompt generator (the formulas of docs/method.md) on a base of
// width D, for so many classes and training images.
std::int64_t prompt_numbers(const RunConfig& run, std::int64_t width, std::int64_t classes,
                            std::int64_t instances);

// `images`: those that the run may use. A manifest without the sizes of its networks counts as one
// with empty ones.
RunSize size_of_run(const RunConfig& run, const BaseManifest& base,
                    const datasets::ImageCounts& images);

}  // namespace marquee::experiments
