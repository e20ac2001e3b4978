// Activation checkpointing: a part of a network that keeps its input alone and is computed again
// on the way back. Less memory for about a third more time; the same bits, since the same kernels
// run on the same numbers.
#pragma once

#include <functional>

#include "workers/models/parameters.h"
#include "workers/torch.h"

namespace marquee::workers {

// One part: [..] -> [..], reading `parameters`.
using NetworkPart = std::function<Tensor(const Tensor& x, const ParameterMap& parameters)>;

// part(x, parameters), with gradients to x and to those of `parameters` that require one.
// `part` must be a pure function and outlive the graph.
Tensor recomputed(NetworkPart part, const Tensor& x, const ParameterMap& parameters);

}  // namespace marquee::workers
