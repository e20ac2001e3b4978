#include "experiments/waypoints.h"

#include <limits>

#include "cluster/error.h"
#include "cluster/number_list.h"
#include "experiments/run_config.h"

namespace marquee::experiments {
namespace {

[[noreturn]] void refuse(const std::string& text, const std::string& reason) {
  cluster::throw_usage("'marquee' is '" + text + "'" + reason +
                       "; expected none, instances, classes, or a list such as instances:3,17,42 "
                       "of 2 to " +
                       std::to_string(kMaxWaypoints));
}

std::vector<int> read_list(const std::string& text, std::string_view list) {
  const auto numbers = cluster::parse_numbers(list, std::numeric_limits<int>::max());
  if (!numbers) refuse(text, ": no list of numbers from 0 up, with commas between");
  if (numbers->size() < 2 || numbers->size() > static_cast<std::size_t>(kMaxWaypoints))
    refuse(text, ": has " + std::to_string(numbers->size()) + " waypoints");
  return {numbers->begin(), numbers->end()};
}

}  // namespace

WaypointRule parse_waypoints(const std::string& text) {
  if (text == "none") return {};
  const std::size_t colon = text.find(':');
  const std::string_view source = std::string_view(text).substr(0, colon);
  WaypointRule rule;
  if (source == "instances") {
    rule.source = WaypointSource::instances;
  } else if (source == "classes") {
    rule.source = WaypointSource::classes;
  } else {
    refuse(text, "");
  }
  if (colon != std::string::npos)
    rule.list = read_list(text, std::string_view(text).substr(colon + 1));
  return rule;
}

void check_waypoints(const RunConfig& run) {
  const WaypointRule rule = parse_waypoints(run.marquee);
  const bool known =
      rule.source == WaypointSource::none ||
      (rule.source == WaypointSource::instances ? knows_instances(run) : knows_classes(run));
  if (known) return;
  cluster::throw_usage("'marquee' is '" + run.marquee + "', but with conditions '" +
                       run.conditions + "' the prompt generator knows no " +
                       (rule.source == WaypointSource::instances ? "instances" : "classes"));
}

}  // namespace marquee::experiments
