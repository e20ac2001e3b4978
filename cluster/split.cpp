#include "cluster/split.h"

namespace marquee::cluster {

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> pieces(1);
  for (const char c : text) {
    if (c == ',') {
      pieces.emplace_back();
    } else {
      pieces.back() += c;
    }
  }
  return pieces;
}

std::vector<std::string> names_in_list(std::string_view text) {
  std::vector<std::string> names = split_at_commas(text);
  std::erase(names, "");
  return names;
}

}  // namespace marquee::cluster
