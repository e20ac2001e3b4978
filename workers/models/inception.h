// The Inception-v3 of 2015-12-05 that FID, KID and IS are measured with: 1008 logits, average pools
// that leave padding out of their counts, a maximum in the last block's pool branch. Weights have
// torchvision's names ("Mixed_6b.branch7x7dbl_3.conv.weight"), as pytorch-fid's and
// torch-fidelity's published files do. Proven by inception.h5
// (tests/workers/inception_golden_test.cpp).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "workers/models/parameters.h"
#include "workers/torch.h"

namespace marquee::workers {

inline constexpr std::int64_t kInceptionSide = 299;

// Names and shapes of the weights that are used; files may hold `num_batches_tracked` beside them.
ShapeMap inception_shapes();

// What a pass can give, float32 [B, d]: "64", "192", "768", "2048" (means over the grid of two
// pools, Mixed_6e and Mixed_7c), "logits" and "logits_unbiased" [B, 1008] (without the last layer's
// bias: the Inception Score's), "spatial" [B, 17 * 17 * 7] (sFID's: the first 7 channels of the
// 1 x 1 branch of Mixed_6d, place by place).
using InceptionOutputs = std::map<std::string, Tensor>;

// Thread safe for reading. Batch norms are folded into the convolutions.
class Inception {
 public:
  // Throws environment naming `source` and the tensor for names or shapes that are not
  // inception_shapes.
  // `compute`: float32, or bfloat16 for the convolutions (faster, its error in docs/metrics.md), or
  // float64 (for tests).
  Inception(const ParameterMap& weights, const std::string& source,
            torch::ScalarType compute = torch::kFloat32);

  // images float [B, 3, 299, 299] in the network's range (about -1 to 1). `wanted` names outputs;
  // nothing behind the last of them is computed; float64 where that is computed in. `observe` gets
  // each stage's output.
  InceptionOutputs operator()(const Tensor& images, const std::vector<std::string>& wanted,
                              const StageObserver& observe = {}) const;

 private:
  Tensor convolved(const Tensor& x, const std::string& name) const;
  Tensor block_a(const Tensor& x, const std::string& name) const;
  Tensor block_b(const Tensor& x, const std::string& name) const;
  Tensor block_c(const Tensor& x, const std::string& name) const;
  Tensor block_d(const Tensor& x, const std::string& name) const;
  Tensor block_e(const Tensor& x, const std::string& name, bool maximum) const;

  torch::ScalarType compute_;
  ParameterMap folded_;  // "<conv>.weight", "<conv>.bias", "fc.weight", "fc.bias"
};

}  // namespace marquee::workers
