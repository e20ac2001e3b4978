// Pages of the manual, written from what the commands say of themselves, for man(7) macros. Pure;
// thread safe.
#pragma once

#include <map>
#include <string>

#include "cluster/command_facts.h"

namespace marquee::orchestrator {

// By the page's name: "marquee", "marquee-sweep", "marquee-data-list". `version` stands in the
// foot.
std::map<std::string, std::string> man_pages(const cluster::CommandFacts& commands,
                                             const std::string& version);

}  // namespace marquee::orchestrator
