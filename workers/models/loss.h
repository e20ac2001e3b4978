// Cross-entropy over the masked tokens, with label smoothing, as the official trainer computes it
// (README details 10 and 11 of the golden models; tests/workers/transformer_golden_test.cpp).
#pragma once

#include "workers/torch.h"

namespace marquee::workers {

// logits [B, P, K]; targets int64 [B, P]; weights float32 [B, P]; returns the loss of each sample
// [B]: sum(loss * weight) / max(sum(weight), 1e-8). A target outside [0, K) (the class slot) has an
// all-zero one-hot row. The batch loss is the mean over all samples, also those without a masked
// token. Computed in float32, or in float64 where the logits are
// (tests/workers/gradient_check_test.cpp).
Tensor masked_cross_entropy(const Tensor& logits, const Tensor& targets, const Tensor& weights,
                            double smoothing);

}  // namespace marquee::workers
