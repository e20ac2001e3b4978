// Tasks drawn by code: no data needed, every image a pure function of (task, split, index).
#pragma once

#include <memory>
#include <string_view>

#include "datasets/dataset.h"

namespace marquee::datasets {

// Counts in the name of every picture's stream; raised when a drawing changes.
inline constexpr int kDrawnVersion = 1;
inline constexpr int kDrawnSize = 64;  // pixels a side

// `split` as in open_dataset. drawn/dsprites_location: one white square, ellipse or heart on black,
// class = x position in 16 columns. drawn/shapes_count: 3 to 10 shaded discs, boxes and triangles
// on a plain background, class = number - 3.
std::unique_ptr<Dataset> open_drawn(const TaskInfo& task, std::string_view split);

}  // namespace marquee::datasets
