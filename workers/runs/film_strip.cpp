#include "workers/runs/film_strip.h"

#include <algorithm>

#include "workers/image_tensor.h"

namespace marquee::workers {
namespace {

constexpr float kGrey = 0.5F;

}  // namespace

FrameObserver FilmStrip::observer() {
  return [this](const DecodeFrame& frame) {
    if (!wanted(frame.step, frame.steps)) return;
    auto place = std::find_if(frames_.begin(), frames_.end(),
                              [&](const DecodeFrame& kept) { return kept.step == frame.step; });
    const std::int64_t before = place == frames_.end() ? 0 : place->tokens.size(0);
    const std::int64_t rows = std::min(images_ - before, frame.tokens.size(0));
    if (rows == 0) return;
    const Tensor tokens = frame.tokens.narrow(0, 0, rows).to(torch::kCPU);
    Tensor settled = frame.settled.narrow(0, 0, rows).to(torch::kCPU);
    // At the end everything is settled, whatever the schedule would have taken back.
    if (frame.step == frame.steps - 1) settled = torch::ones_like(settled);
    if (place == frames_.end()) {
      frames_.push_back({frame.step, frame.steps, tokens, settled});
    } else {
      place->tokens = at::cat({place->tokens, tokens});
      place->settled = at::cat({place->settled, settled});
    }
  };
}

bool FilmStrip::wanted(std::int64_t step, std::int64_t steps) const {
  if (steps <= columns_) return true;
  // Column c shows the last of its equal part of the steps.
  const std::int64_t column = (step + 1) * columns_ / steps;
  return column > step * columns_ / steps;
}

std::vector<datasets::Image> FilmStrip::pictures(const BaseTokenizer& tokenizer) const {
  const torch::InferenceMode inference;
  std::vector<std::vector<datasets::Image>> columns;
  for (const DecodeFrame& frame : frames_) {
    const Tensor decoded = tokenizer.decode(frame.tokens);
    const std::int64_t rows = decoded.size(0), side = tokenizer.image_size(),
                       latent = tokenizer.latent();
    const Tensor settled = frame.settled.reshape({rows, 1, latent, latent})
                               .repeat_interleave(side / latent, 2)
                               .repeat_interleave(side / latent, 3);
    columns.push_back(to_images(torch::where(settled, decoded, kGrey)));
  }
  std::vector<datasets::Image> pictures;
  for (std::size_t row = 0; !columns.empty() && row < columns[0].size(); ++row)
    for (auto& column : columns) pictures.push_back(std::move(column[row]));
  return pictures;
}

}  // namespace marquee::workers
