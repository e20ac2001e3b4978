// The tokenizer of a base, of either family: images in [0, 1] <-> ids of a square grid.
#pragma once

#include <variant>

#include "workers/models/tokenizer.h"
#include "workers/models/vqgan.h"

namespace marquee::workers {

// Thread safe for reading.
class BaseTokenizer {
 public:
  using Config = std::variant<TokenizerConfig, VqganConfig>;  // maskgit, taming

  BaseTokenizer() = default;
  BaseTokenizer(Config config, ParameterMap weights)
      : config_(std::move(config)), weights_(std::move(weights)) {}

  const Config& config() const { return config_; }
  const ParameterMap& weights() const { return weights_; }
  std::int64_t image_size() const;  // pixels a side
  std::int64_t latent() const;      // grid side
  std::int64_t codebook() const;    // codes

  // The same with its weights on `device`.
  BaseTokenizer on(torch::Device device) const;

  // float [B, 3, S, S] in [0, 1] -> int64 [B, N], raster order.
  Tensor encode(const Tensor& images) const;
  // int64 [B, N] -> float [B, 3, S, S], nominally in [0, 1]; nothing clips. Throws usage when an id
  // is out of range. A few images at a time where they are large. From the CPU to the CPU, wherever
  // the weights are.
  Tensor decode(const Tensor& ids) const;

 private:
  Tensor decode_some(const Tensor& ids) const;

  Config config_;
  ParameterMap weights_;
};

ShapeMap tokenizer_shapes(const BaseTokenizer::Config& config);

}  // namespace marquee::workers
