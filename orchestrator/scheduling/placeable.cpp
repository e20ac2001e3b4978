#include "orchestrator/scheduling/placeable.h"

#include <set>
#include <string>
#include <tuple>

#include <fmt/format.h>

#include "cluster/error.h"
#include "cluster/text.h"

namespace marquee::orchestrator {
namespace {

std::string need_text(const experiments::RunConfig& run) {
  std::string text;
  const auto add = [&](const std::string& words) { text += (text.empty() ? "" : " and ") + words; };
  if (const int slots = experiments::gang_size(run); slots > 1)
    add(fmt::format("{} slots of one kind (gang)", slots));
  if (!run.slot_kind.empty()) add("a device like '" + run.slot_kind + "' (slot_kind)");
  if (run.slot_memory > 0) add(fmt::format("{} GiB of memory (slot_memory)", run.slot_memory));
  return text;
}

std::string slots_text(const SlotPool& slots) {
  std::string text;
  for (const std::string& words : slots.describe()) text += (text.empty() ? "" : ", ") + words;
  return text;
}

}  // namespace

void check_placeable(const std::vector<experiments::RunConfig>& runs, const SlotPool& slots) {
  std::set<std::tuple<int, std::string, double>> fine;
  for (const experiments::RunConfig& run : runs) {
    const int count = experiments::gang_size(run);
    if (!fine.insert({count, run.slot_kind, run.slot_memory}).second) continue;
    if (!slots.ways({run.slot_kind, run.slot_memory}, count).empty()) continue;
    cluster::throw_usage(cluster::printable(fmt::format(
        "run {} ({}, {} shots, {}, seed {}) asks for {}; there are {}: start workers that fit, or "
        "change what it asks for",
        experiments::run_id(run).short_text(), run.task, run.shots, run.method, run.seed,
        need_text(run), slots_text(slots))));
  }
}

}  // namespace marquee::orchestrator
