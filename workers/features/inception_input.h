// What the FID Inception is fed: an image of any size (or its central square) resized to 299 x 299
// and mapped into the network's range. The tools differ in both, and their numbers with them
// (docs/metrics.md).
#pragma once

#include <string>
#include <vector>

#include "workers/features/resize_rules.h"

namespace marquee::workers {

enum class InputRange {
  tensorflow,  // (x - 128) / 128: -1 to 0.992 (TensorFlow, torch-fidelity, clean-fid's clean)
  unit,        // 2 (x / 255) - 1: -1 to 1 (pytorch-fid)
};

struct InceptionInput {
  ResizeRule resize = ResizeRule::clean_fid_clean;
  InputRange range = InputRange::tensorflow;
  bool crop = false;  // to the central square first
  bool operator==(const InceptionInput&) const = default;
};

// "clean_fid_clean to 299, (x - 128) / 128"
std::string described(const InceptionInput& input);

// float32 [B, 3, 299, 299]. Images may differ in size.
Tensor inception_input(const std::vector<datasets::Image>& images, const InceptionInput& input);

}  // namespace marquee::workers
