// The VQGAN tokenizer of taming-transformers: attention where the map is small, biases everywhere,
// images in [-1, 1].
//
// Weights are named as in the published state dict ("encoder.down.0.block.0.conv1.weight"),
// convolutions OIHW. Source: the official code as recorded in models_ar/tiny_vqgan.h5
// (tests/workers/vqgan_golden_test.cpp). Thread safe for reading: nothing is stored.
#pragma once

#include <cstdint>
#include <vector>

#include "workers/models/parameters.h"
#include "workers/torch.h"

namespace marquee::workers {

inline constexpr const char* kVqganCodebook = "quantize.embedding.weight";  // [K, E]

struct VqganConfig {
  std::int64_t filters = 128;                            // channels at full resolution
  std::vector<std::int64_t> multipliers{1, 1, 2, 2, 4};  // channels a level, times `filters`
  std::int64_t blocks = 2;  // residual blocks a level; the decoder has one more
  // Sides of the maps that have attention, counted from `image_size` whatever comes in.
  std::vector<std::int64_t> attention_resolutions{16};
  std::int64_t z_channels = 256;  // of the encoder's output
  std::int64_t embedding = 256;   // of a code
  std::int64_t codebook = 16384;
  std::int64_t image_size = 256;  // pixels a side

  std::int64_t latent() const { return image_size >> (multipliers.size() - 1); }  // grid side
  bool operator==(const VqganConfig&) const = default;
};

ShapeMap vqgan_shapes(const VqganConfig& config);

// images [B, 3, H, W] in [-1, 1] -> [B, embedding, h, w] before quantisation (behind quant_conv). H
// and W may differ from image_size. Stages are named as the modules.
Tensor vqgan_encode(const VqganConfig& config, const ParameterMap& parameters, const Tensor& images,
                    const StageObserver& observe = {});

// [B, embedding, h, w] -> images [B, 3, H, W], nominally in [-1, 1]; nothing clips.
Tensor vqgan_decode(const VqganConfig& config, const ParameterMap& parameters,
                    const Tensor& vectors, const StageObserver& observe = {});

}  // namespace marquee::workers
