#include "datasets/few_shot.h"

#include <algorithm>

#include "cluster/error.h"
#include "cluster/philox.h"

namespace marquee::datasets {
std::vector<std::size_t> select_few_shot(const std::vector<int>& labels, int num_classes, int shots,
                                         std::uint64_t seed) {
  std::vector<std::size_t> chosen;
  for (int label = 0; label < num_classes; ++label) {
    std::vector<std::size_t> members;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] == label) members.push_back(i);
    }
    if (members.size() < static_cast<std::size_t>(shots)) {
      cluster::throw_usage("class " + std::to_string(label) + " has " +
                           std::to_string(members.size()) + " images, " + std::to_string(shots) +
                           " shots were asked for");
    }
    // The first `shots` of one permutation of the class: larger sets contain smaller ones.
    cluster::PhiloxStream stream(seed, cluster::Purpose::few_shot, 0,
                                 static_cast<std::uint64_t>(label));
    const std::vector<std::size_t> order = cluster::permutation(stream, members.size());
    for (std::size_t i = 0; i < static_cast<std::size_t>(shots); ++i)
      chosen.push_back(members[order[i]]);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::vector<std::size_t> select_shots(const Dataset& dataset, std::string_view shots,
                                      std::uint64_t seed) {
  const int count = shots_per_class(shots);
  const std::vector<int> labels = labels_of(dataset);
  if (count > 0) return select_few_shot(labels, dataset.num_classes(), count, seed);
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 0) all.push_back(i);
  }
  return all;
}

}  // namespace marquee::datasets
