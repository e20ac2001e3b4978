#include "orchestrator/scheduling/placement.h"

#include <algorithm>
#include <cstddef>

#include "cluster/error.h"

namespace marquee::orchestrator {

std::vector<int> choose_agents(const std::map<std::string, std::vector<int>>& idle, int slots) {
  std::vector<const std::vector<int>*> hosts;
  for (const auto& [host, ranks] : idle) hosts.push_back(&ranks);
  const auto room = static_cast<std::size_t>(slots);
  std::stable_sort(hosts.begin(), hosts.end(), [&](const auto* a, const auto* b) {
    const bool fits = a->size() >= room, other_fits = b->size() >= room;
    if (fits != other_fits) return fits;
    return fits ? a->size() < b->size() : a->size() > b->size();
  });
  std::vector<int> chosen;
  for (const std::vector<int>* ranks : hosts)
    for (const int rank : *ranks)
      if (chosen.size() < room) chosen.push_back(rank);
  MARQUEE_CHECK(chosen.size() == room, "a run was given more slots than are idle");
  return chosen;
}

}  // namespace marquee::orchestrator
