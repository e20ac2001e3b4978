// Seeded, class-balanced few-shot subsets, the same for every method.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/dataset.h"

namespace marquee::datasets {

// `shots` examples of each class, ascending positions. Nested: the set of k shots contains that of
// fewer with the same seed. Throws usage naming class and count when a class has fewer.
std::vector<std::size_t> select_few_shot(const std::vector<int>& labels, int num_classes, int shots,
                                         std::uint64_t seed);

// "vtab1k", "full" or a number of images per class; throws usage otherwise.
void check_shots(std::string_view shots);

// The split to open for `shots` ("train800val200" for vtab1k, "trainval" for full, else "train").
std::string_view split_for_shots(std::string_view shots);

// Positions within that split.
std::vector<std::size_t> select_shots(const Dataset& dataset, std::string_view shots,
                                      std::uint64_t seed);

}  // namespace marquee::datasets
