// Durations, sizes and ids as people read them. Pure; thread safe.
#pragma once

#include <cstdint>
#include <string>

namespace marquee::orchestrator {

std::string human_bytes(std::int64_t bytes);  // "512 B", "1.5 MiB", "12 GiB"
std::string human_seconds(double seconds);    // "0.4 s", "42 s", "3 min 20 s", "5 h 10 min"
std::string short_id(const std::string& id);  // its first 12 digits
std::string human_rate(double per_hour);      // "0.25 runs/h", "2330 runs/h"

}  // namespace marquee::orchestrator
