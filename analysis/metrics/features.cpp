#include "analysis/metrics/features.h"

#include "cluster/error.h"

namespace marquee::analysis {

void check_features(const Tensor& features, const std::string& what, std::int64_t least) {
  MARQUEE_CHECK(features.dim() == 2 && features.is_floating_point(),
                "features must be floating point [n, d]");
  if (features.size(0) < least) {
    cluster::throw_usage("the " + what + " images are " + std::to_string(features.size(0)) +
                         ": at least " + std::to_string(least) + " are needed");
  }
  const Tensor finite = features.isfinite().all(1);
  if (!finite.all().item<bool>()) {
    const Tensor bad = finite.logical_not().nonzero().flatten();
    cluster::throw_environment("features of the " + what + " images are not finite in " +
                               std::to_string(bad.numel()) + " of " +
                               std::to_string(features.size(0)) + " rows, first in row " +
                               std::to_string(bad[0].item<std::int64_t>()));
  }
}

void check_pair(const Tensor& generated, const Tensor& reference, std::int64_t least) {
  check_features(generated, "generated", least);
  check_features(reference, "reference", least);
  if (generated.size(1) != reference.size(1)) {
    cluster::throw_usage("generated features have " + std::to_string(generated.size(1)) +
                         " columns, those of the reference " + std::to_string(reference.size(1)) +
                         ": they come from different networks or layers");
  }
}

}  // namespace marquee::analysis
