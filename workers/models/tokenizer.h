// The VQGAN tokenizer of MaskGIT: images in [0, 1] <-> a square grid of codebook ids.
//
// Functional: sizes are configuration, weights a sorted map of named tensors (names as in the flax
// tree, "encoder/ResBlock_0/Conv_0/kernel"). Convolution kernels are held OIHW; importers convert
// from HWIO. Source: the official code's modules as recorded in the golden file tiny_vqgan.h5
// (tests/workers/tokenizer_golden_test.cpp). Thread safe for reading: nothing is stored.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/philox.h"
#include "workers/models/parameters.h"
#include "workers/models/quantiser.h"
#include "workers/torch.h"

namespace marquee::workers {

inline constexpr const char* kMaskGitCodebook = "quantizer/codebook";  // [K, E]

struct TokenizerConfig {
  std::int64_t filters = 128;                            // channels at full resolution
  std::vector<std::int64_t> multipliers{1, 1, 2, 2, 4};  // channels per level, times `filters`
  std::int64_t blocks = 2;                               // residual blocks per level
  std::int64_t embedding = 256;                          // channels of a code
  std::int64_t codebook = 1024;                          // number of codes
  std::int64_t image_size = 256;                         // pixels a side
  std::int64_t groups = 32;                              // of every GroupNorm

  std::int64_t latent() const { return image_size >> (multipliers.size() - 1); }  // grid side
  bool operator==(const TokenizerConfig&) const = default;
};

// Random weights: kernels truncated normal with variance 1/fan_in, norms one, biases zero, codebook
// normal / sqrt(embedding). Every tensor has its own stream (seed, purpose, index of its sorted
// name).
ParameterMap init_tokenizer(const TokenizerConfig& config, std::uint64_t seed,
                            cluster::Purpose purpose = cluster::Purpose::init);

// Shapes of all tensors by name, for checking loaded weights.
ShapeMap tokenizer_shapes(const TokenizerConfig& config);

// images float32 [B, 3, H, W] in [0, 1] -> [B, embedding, h, w] before quantisation.
Tensor encode(const TokenizerConfig& config, const ParameterMap& parameters, const Tensor& images,
              const StageObserver& observe = {});

// [B, embedding, h, w] -> images [B, 3, H, W], nominally in [0, 1]; nothing clips.
Tensor decode_vectors(const TokenizerConfig& config, const ParameterMap& parameters,
                      const Tensor& vectors, const StageObserver& observe = {});

// ids int64 [B, h*w] in [0, codebook) -> images. Throws usage when an id is out of range.
Tensor decode_ids(const TokenizerConfig& config, const ParameterMap& parameters, const Tensor& ids);

}  // namespace marquee::workers
