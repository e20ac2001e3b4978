// Rows of a split (places of its images): as tensors, their labels, and reading what a row holds.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "workers/torch.h"

namespace marquee::workers {

Tensor rows_tensor(const std::vector<std::size_t>& rows);  // int64 [n]
// The other way, from a file: throws environment naming `where` unless they ascend and lie below
// `size`.
std::vector<std::size_t> rows_from(const Tensor& rows, std::size_t size, const std::string& where);

// int64 [n]; -1 where the task's rule has no class.
Tensor labels_at(const datasets::Dataset& dataset, const std::vector<std::size_t>& rows);

// The image of a row. With BadRecords::skip nothing for one that cannot be read: a warning is
// logged and `reason` filled. Else throws as Dataset::image does. Thread safe.
std::optional<datasets::Image> image_or_skip(const datasets::Dataset& dataset, std::size_t row,
                                             const datasets::DataFolder& data, std::string& reason);

}  // namespace marquee::workers
