#include "analysis/metrics/bootstrap.h"

#include <vector>

#include "cluster/error.h"
#include "cluster/philox.h"

namespace marquee::analysis {

double bootstrap_error(std::int64_t rows, std::uint64_t seed, int resamples,
                       const std::function<double(const Tensor&)>& value) {
  MARQUEE_CHECK(resamples >= 2, "a bootstrap needs 2 resamples or more");
  Tensor values = torch::empty({resamples}, torch::kFloat64);
  for (int resample = 0; resample < resamples; ++resample) {
    cluster::PhiloxStream stream(seed, cluster::Purpose::bootstrap, 0,
                                 static_cast<std::uint64_t>(resample));
    std::vector<std::int64_t> drawn(static_cast<std::size_t>(rows));
    for (std::int64_t& row : drawn)
      row = static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(rows)));
    values[resample] = value(torch::tensor(drawn));
  }
  return values.std().item<double>();
}

}  // namespace marquee::analysis
