// Random tensors from counter-based streams: the values depend on the stream's key alone, never on
// call order elsewhere, on threads or on ranks. All are float32 on the CPU.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cluster/philox.h"
#include "workers/models/parameters.h"
#include "workers/torch.h"

namespace marquee::workers {

using cluster::PhiloxStream;

Tensor uniform_tensor(PhiloxStream& stream, const std::vector<std::int64_t>& shape);  // [0, 1)
Tensor normal_tensor(PhiloxStream& stream,
                     const std::vector<std::int64_t>& shape);  // mean 0, std 1
// Standard Gumbel: -log(-log u), u in (0, 1).
Tensor gumbel_tensor(PhiloxStream& stream, const std::vector<std::int64_t>& shape);
// The same into a contiguous float32 tensor on the CPU.
void fill_gumbel(PhiloxStream& stream, Tensor tensor);
// Normal cut off at two standard deviations by drawing again (no variance correction), times
// `scale`.
Tensor truncated_normal_tensor(PhiloxStream& stream, const std::vector<std::int64_t>& shape,
                               float scale);

// Initial weights: norms one, biases zero, every other tensor as `draw` makes it. Each tensor has
// its own stream (seed, purpose, step 0, place of its name in their order).
using DrawTensor = std::function<Tensor(
    const std::string& name, const std::vector<std::int64_t>& shape, PhiloxStream& stream)>;
ParameterMap initial_parameters(const ShapeMap& shapes, std::uint64_t seed,
                                cluster::Purpose purpose, const DrawTensor& draw);

}  // namespace marquee::workers
