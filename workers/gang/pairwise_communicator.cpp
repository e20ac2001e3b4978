#include "workers/gang/pairwise_communicator.h"

#include <algorithm>
#include <bit>

#include "cluster/error.h"

namespace marquee::workers {

PairwiseCommunicator::PairwiseCommunicator(GangCourier& courier, int rank, int size)
    : courier_(courier), rank_(rank), size_(size) {
  MARQUEE_CHECK(
      size > 0 && std::has_single_bit(static_cast<unsigned>(size)) && rank >= 0 && rank < size,
      "a gang has a power of two ranks");
}

Tensor PairwiseCommunicator::sum(const Tensor& mine) {
  MARQUEE_CHECK(mine.scalar_type() == torch::kFloat32 && mine.is_cpu(),
                "a gang on CPUs sums float32 tensors");
  const torch::NoGradGuard no_grad;
  Tensor sum = mine.detach().clone(at::MemoryFormat::Contiguous);
  const std::span<float> numbers(sum.data_ptr<float>(), static_cast<std::size_t>(sum.numel()));
  for (std::size_t first = 0; first < numbers.size(); first += courier_.largest()) {
    const std::span<float> part =
        numbers.subspan(first, std::min(courier_.largest(), numbers.size() - first));
    for (int bit = 1; bit < size_; bit *= 2) {
      // a + b and b + a have the same bits, so both partners hold the same sum.
      const std::span<const float> theirs = courier_.swap(rank_ ^ bit, part);
      MARQUEE_CHECK(theirs.size() == part.size(), "a swap of unequal sizes");
      std::transform(part.begin(), part.end(), theirs.begin(), part.begin(), std::plus<>());
    }
  }
  return sum;
}

}  // namespace marquee::workers
