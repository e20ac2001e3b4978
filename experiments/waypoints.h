// The run key `marquee`: between which prompts the marquee header moves while an image is decoded.
//
//   none                    one prompt sequence for all steps
//   instances, classes      waypoints drawn for each image: training images of its class, or other
//                           classes on the way to its own; `marquee_waypoints` says how many
//   instances:3,17,42       these training images (places in the run's training set), for every
//   classes:3,5             image; likewise these classes
#pragma once

#include <string>
#include <vector>

namespace marquee::experiments {

struct RunConfig;

inline constexpr int kMaxWaypoints = 64;

enum class WaypointSource { none, instances, classes };

struct WaypointRule {
  WaypointSource source = WaypointSource::none;
  std::vector<int> list;  // empty: drawn for each image
};

// Throws usage for anything else.
WaypointRule parse_waypoints(const std::string& text);

// Throws usage unless the run's generator knows what its waypoints are made of.
void check_waypoints(const RunConfig& run);

}  // namespace marquee::experiments
