// Lists of numbers as people write them: "3,17,42".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace marquee::cluster {

// Whole numbers in [0, limit), a comma between two; at least one. Nothing for any other text.
std::optional<std::vector<std::int64_t>> parse_numbers(std::string_view text, std::int64_t limit);

}  // namespace marquee::cluster
