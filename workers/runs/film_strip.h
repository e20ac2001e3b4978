// Pictures of decoding: how images become from step to step.
#pragma once

#include <vector>

#include "datasets/image.h"
#include "workers/base_tokenizer.h"
#include "workers/tuning/adapter.h"

namespace marquee::workers {

// Frames of the first images that are made, at most so many, kept on the CPU.
class FilmStrip {
 public:
  FilmStrip(std::int64_t images, int columns) : images_(images), columns_(columns) {}

  // For Adapter::sample_tokens, once for each batch. The strip must outlive it.
  FrameObserver observer();

  // A row for each image, a column for each of the steps that fit, the last one among them. What
  // was decoded then, and grey where tokens were not settled. For make_grid(pictures, columns()).
  std::vector<datasets::Image> pictures(const BaseTokenizer& tokenizer) const;
  int columns() const { return static_cast<int>(frames_.size()); }

 private:
  bool wanted(std::int64_t step, std::int64_t steps) const;

  std::int64_t images_;
  int columns_;
  std::vector<DecodeFrame> frames_;
};

}  // namespace marquee::workers
