// Which idle agents a run gets. Pure functions; thread safe.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace marquee::orchestrator {

// As many ranks as `slots` of those that are idle (by host): on one host where one has room, the
// one that they fill best; else on as few hosts as will do. There must be enough.
std::vector<int> choose_agents(const std::map<std::string, std::vector<int>>& idle, int slots);

}  // namespace marquee::orchestrator
