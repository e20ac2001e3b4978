#include "analysis/metrics/linear_probe.h"

#include "analysis/metrics/manifold.h"
#include "cluster/error.h"

namespace marquee::analysis {
namespace {

constexpr double kRidge = 1e-3;  // of the number of images

}  // namespace

LinearProbe::LinearProbe(const Tensor& features, const Tensor& labels, int classes) {
  MARQUEE_CHECK(features.dim() == 2 && features.size(0) > 1 && labels.dim() == 1 &&
                    labels.size(0) == features.size(0) && classes > 0,
                "a probe needs features [n, d] and labels [n]");
  const Tensor rows = features.to(torch::kFloat64);
  mean_ = rows.mean(0);
  scale_ = rows.std(0).clamp_min(1e-12);
  const Tensor x = with_bias(features);
  const Tensor targets = at::one_hot(labels, classes).to(torch::kFloat64);
  Tensor gram = x.t().mm(x);
  gram.diagonal().add_(kRidge * static_cast<double>(x.size(0)));
  weights_ = at::linalg_solve(gram, x.t().mm(targets));
}

Tensor LinearProbe::with_bias(const Tensor& features) const {
  const Tensor rows = (features.to(torch::kFloat64) - mean_) / scale_;
  return at::cat({rows, torch::ones({rows.size(0), 1}, torch::kFloat64)}, 1);
}

Tensor LinearProbe::predict(const Tensor& features) const {
  return with_bias(features).mm(weights_).argmax(1);
}

Estimate LinearProbe::accuracy(const Tensor& features, const Tensor& labels) const {
  MARQUEE_CHECK(labels.numel() > 0 && labels.size(0) == features.size(0), "a label for each row");
  return share_of(predict(features) == labels);
}

}  // namespace marquee::analysis
