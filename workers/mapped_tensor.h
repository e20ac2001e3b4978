// Tensors of LibTorch over the memory of a weight file, usually a mapping.
#pragma once

#include <memory>

#include "workers/torch.h"
#include "workers/weight_files/stored_tensor.h"

namespace marquee::workers {

// The tensor where it lies in `memory`, which it keeps alive. Of a mapped file nothing is read
// until it is used, and processes share the pages. It can only be read: writing into it (an
// in-place operation) is a segmentation fault. Copied instead where it cannot be used in place: in
// several parts, not aligned, or of booleans (bytes other than 0 and 1 become true).
Tensor mapped_tensor(const StoredTensor& stored, const std::shared_ptr<const void>& memory);

// Throws defect for a type that is not stored (complex, quantised).
TensorLayout layout_of(const Tensor& tensor);

}  // namespace marquee::workers
