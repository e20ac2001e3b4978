// Sums whose bits do not depend on how many ranks share the work: micro-batches are added by a
// pairwise tree in their order, ((0+1)+(2+3))+..., never by a running sum. Proven by
// tests/workers/tuning_test.cpp.
#pragma once

#include <vector>

#include "workers/tuning/communicator.h"

namespace marquee::workers {

// Sum of a power-of-two number of tensors of one shape, pairwise.
Tensor tree_sum(std::vector<Tensor> parts);

// Collective. Whether any rank says so.
bool any_rank(Communicator& gang, bool mine);
// The same with the answer taken later.
std::unique_ptr<PendingSum> ask_ranks(Communicator& gang, bool mine);
bool any_said(PendingSum& asked);

}  // namespace marquee::workers
