// How many training images a run may use: the words of the key `shots`.
#pragma once

#include <string_view>

namespace marquee::datasets {

// Images per class; 0 for the named sets vtab1k and full. Throws usage for anything else.
int shots_per_class(std::string_view shots);

// The split to open ("train800val200" for vtab1k, "trainval" for full, else "train").
std::string_view split_for_shots(std::string_view shots);

}  // namespace marquee::datasets
