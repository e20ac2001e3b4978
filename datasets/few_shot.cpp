#include "datasets/few_shot.h"

#include <algorithm>

#include "cluster/error.h"
#include "cluster/philox.h"
#include "cluster/suggest.h"

namespace marquee::datasets {
namespace {

void refuse_short(const std::vector<std::vector<std::size_t>>& members, int shots) {
  constexpr std::size_t kNamed = 5;
  std::vector<std::string> classes;
  for (std::size_t label = 0; label < members.size(); ++label) {
    const std::size_t count = members[label].size();
    if (count < static_cast<std::size_t>(shots))
      classes.push_back("class " + std::to_string(label) + " has " + std::to_string(count));
  }
  if (classes.empty()) return;
  const std::size_t more = classes.size() - std::min(classes.size(), kNamed);
  classes.resize(classes.size() - more);
  cluster::throw_usage(std::to_string(shots) +
                       " shots a class were asked for, too few images: " + cluster::join(classes) +
                       (more > 0 ? ", and " + std::to_string(more) + " classes more" : ""));
}

}  // namespace

std::vector<std::size_t> select_few_shot(const std::vector<int>& labels, int num_classes, int shots,
                                         std::uint64_t seed,
                                         const std::set<std::size_t>& unreadable) {
  std::vector<std::vector<std::size_t>> members(static_cast<std::size_t>(num_classes));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 0) members.at(static_cast<std::size_t>(labels[i])).push_back(i);
  }
  std::vector<std::vector<std::size_t>> readable = members;
  for (auto& rows : readable)
    std::erase_if(rows, [&](std::size_t row) { return unreadable.contains(row); });
  refuse_short(readable, shots);
  std::vector<std::size_t> chosen;
  for (std::size_t label = 0; label < members.size(); ++label) {
    // The first `shots` of one permutation of the class: larger sets contain smaller ones.
    cluster::PhiloxStream stream(seed, cluster::Purpose::few_shot, 0, label);
    int taken = 0;
    for (const std::size_t place : cluster::permutation(stream, members[label].size())) {
      const std::size_t row = members[label][place];
      if (taken == shots) break;
      if (unreadable.contains(row)) continue;
      chosen.push_back(row);
      ++taken;
    }
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::vector<std::size_t> select_shots(const Dataset& dataset, std::string_view shots,
                                      std::uint64_t seed, const std::set<std::size_t>& unreadable) {
  const int count = shots_per_class(shots);
  const std::vector<int> labels = labels_of(dataset);
  if (count > 0) return select_few_shot(labels, dataset.num_classes(), count, seed, unreadable);
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 0 && !unreadable.contains(i)) all.push_back(i);
  }
  return all;
}

}  // namespace marquee::datasets
