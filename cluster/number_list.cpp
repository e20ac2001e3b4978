#include "cluster/number_list.h"

#include <charconv>

namespace marquee::cluster {

std::optional<std::int64_t> parse_number(std::string_view text, std::int64_t limit) {
  const auto list = parse_numbers(text, limit);
  return list && list->size() == 1 ? std::optional(list->front()) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> parse_numbers(std::string_view text, std::int64_t limit) {
  std::vector<std::int64_t> list;
  const char *at = text.data(), *end = text.data() + text.size();
  for (;;) {
    std::int64_t number = -1;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || number < 0 || number >= limit) return std::nullopt;
    list.push_back(number);
    if (next == end) return list;
    if (*next != ',') return std::nullopt;
    at = next + 1;
  }
}

}  // namespace marquee::cluster
