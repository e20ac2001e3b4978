#include "workers/tuning/gradient_tree.h"

#include <bit>

#include "cluster/error.h"

namespace marquee::workers {

Tensor tree_sum(std::vector<Tensor> parts) {
  MARQUEE_CHECK(std::has_single_bit(parts.size()), "tree_sum: number of parts is no power of two");
  while (parts.size() > 1) {
    for (std::size_t i = 0; i < parts.size() / 2; ++i) parts[i] = parts[2 * i] + parts[2 * i + 1];
    parts.resize(parts.size() / 2);
  }
  return parts[0];
}

bool any_rank(Communicator& gang, bool mine) {
  return any_said(*ask_ranks(gang, mine));
}

std::unique_ptr<PendingSum> ask_ranks(Communicator& gang, bool mine) {
  return gang.start_sum(torch::full({1}, mine ? 1.0F : 0.0F));
}

bool any_said(PendingSum& asked) {
  return asked.result().item<float>() > 0;
}

}  // namespace marquee::workers
