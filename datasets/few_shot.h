// Seeded, class-balanced few-shot subsets, the same for every method.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/shots.h"

namespace marquee::datasets {

// `shots` examples of each class, ascending positions. Nested: the set of k shots contains that of
// fewer with the same seed. Throws usage naming every class that has fewer, and how many it has.
std::vector<std::size_t> select_few_shot(const std::vector<int>& labels, int num_classes, int shots,
                                         std::uint64_t seed,
                                         const std::set<std::size_t>& unreadable = {});

// Positions within the split that split_for_shots names. `unreadable`: positions that are passed
// over, the next of the class's order taking their place.
std::vector<std::size_t> select_shots(const Dataset& dataset, std::string_view shots,
                                      std::uint64_t seed,
                                      const std::set<std::size_t>& unreadable = {});

}  // namespace marquee::datasets
