// A linear classifier on features: does a generated image show the class that it was asked for?
#pragma once

#include "analysis/metrics/features.h"

namespace marquee::analysis {

// Ridge regression onto one-hot labels, closed form, float64: the same numbers whatever the order
// of the images or the number of threads (up to rounding). Features are standardised first.
class LinearProbe {
 public:
  // features: float [n, d]; labels: int64 [n] in [0, classes).
  LinearProbe(const Tensor& features, const Tensor& labels, int classes);

  Tensor predict(const Tensor& features) const;  // int64 [n]
  // Share of rows that get their label; standard error: binomial.
  Estimate accuracy(const Tensor& features, const Tensor& labels) const;

 private:
  Tensor with_bias(const Tensor& features) const;

  Tensor mean_, scale_, weights_;  // [d], [d], [d + 1, classes]
};

}  // namespace marquee::analysis
