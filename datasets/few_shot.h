// Seeded, class-balanced few-shot subsets, the same for every method.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/shots.h"

namespace marquee::datasets {

// `shots` examples of each class, ascending positions. Nested: the set of k shots contains that of
// fewer with the same seed. Throws usage naming class and count when a class has fewer.
std::vector<std::size_t> select_few_shot(const std::vector<int>& labels, int num_classes, int shots,
                                         std::uint64_t seed);

// Positions within the split that split_for_shots names.
std::vector<std::size_t> select_shots(const Dataset& dataset, std::string_view shots,
                                      std::uint64_t seed);

}  // namespace marquee::datasets
