// Sums whose bits do not depend on how many ranks share the work: micro-batches are added by a
// pairwise tree in their order, ((0+1)+(2+3))+..., never by a running sum. Proven by
// tests/workers/tuning_test.cpp.
#pragma once

#include <vector>

#include "workers/tuning/communicator.h"

namespace marquee::workers {

// Sum of a power-of-two number of tensors of one shape, pairwise.
Tensor tree_sum(std::vector<Tensor> parts);

// Collective. `mine`: this rank's micro-batches in order, each one flat tensor. The ranks' partial
// sums are the nodes of one tree over all micro-batches.
Tensor gang_tree_sum(std::vector<Tensor> mine, Communicator& gang);

// Collective. Whether any rank says so.
bool any_rank(Communicator& gang, bool mine);

}  // namespace marquee::workers
