// Curves over the number of training images a class.
#pragma once

#include <string>
#include <vector>

#include "analysis/report/main_table.h"

namespace marquee::analysis {

// An SVG for each task that has numbers at two numbers of shots or more, and one of the mean over
// all tasks where every one has a number; of the table's metric. A method is a line where it has
// one configuration at each number of shots.
std::vector<std::string> few_shot_curves(const MainTable& table);

}  // namespace marquee::analysis
