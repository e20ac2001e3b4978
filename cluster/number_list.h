// Whole numbers as people write them: "17", and lists of them: "3,17,42".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace marquee::cluster {

// The number in [0, limit) that all of the text is. Nothing for any other text.
std::optional<std::int64_t> parse_number(std::string_view text, std::int64_t limit);

// Whole numbers in [0, limit), a comma between two; at least one. Nothing for any other text.
std::optional<std::vector<std::int64_t>> parse_numbers(std::string_view text, std::int64_t limit);

}  // namespace marquee::cluster
