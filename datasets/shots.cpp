#include "datasets/shots.h"

#include <charconv>
#include <string>

#include "cluster/error.h"

namespace marquee::datasets {

int shots_per_class(std::string_view shots) {
  constexpr int kMost = 1'000'000;
  if (shots == "vtab1k" || shots == "full") return 0;
  int value = 0;
  const auto [end, error] = std::from_chars(shots.data(), shots.data() + shots.size(), value);
  const bool whole = error == std::errc{} && end == shots.data() + shots.size();
  if (!whole || value < 1 || value > kMost || shots.front() == '0') {
    cluster::throw_usage("shots '" + std::string(shots) +
                         "': expected a number of images per class, vtab1k or full");
  }
  return value;
}

std::string_view split_for_shots(std::string_view shots) {
  if (shots == "vtab1k") return "train800val200";
  return shots == "full" ? "trainval" : "train";
}

}  // namespace marquee::datasets
