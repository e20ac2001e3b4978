// What `marquee --version` prints.
#pragma once

#include <string>

namespace marquee::orchestrator {

// Facts of this program, and of the trainer program as it tells them itself.
std::string version_text();

}  // namespace marquee::orchestrator
