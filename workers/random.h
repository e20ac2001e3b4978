// Random tensors from counter-based streams: the values depend on the stream's key alone, never on
// call order elsewhere, on threads or on ranks. All are float32 on the CPU.
#pragma once

#include <vector>

#include "cluster/philox.h"
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

}  // namespace marquee::workers
