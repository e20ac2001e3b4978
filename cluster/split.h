// Lists in words of a command line: names with commas between them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace marquee::cluster {

// The pieces between commas, empty ones too: one more than there are commas.
std::vector<std::string> split_at_commas(std::string_view text);

// Those that are not empty.
std::vector<std::string> names_in_list(std::string_view text);

}  // namespace marquee::cluster
