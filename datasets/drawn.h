// Tasks drawn by code: no data needed, every image a pure function of (task, split, index).
#pragma once

#include <memory>
#include <string_view>

#include "datasets/dataset.h"

namespace marquee::datasets {

// Counts in the name of every picture's stream; raised when a drawing changes.
inline constexpr int kDrawnVersion = 1;
inline constexpr int kDrawnSize = 64;  // pixels a side

// `split` as in open_dataset. Classes as those of the tasks that they are modelled on:
// * drawn/dsprites_location: one white square, ellipse or heart on black; 16 columns
// * drawn/dsprites_orientation: the same; 16 sectors of its rotation
// * drawn/shapes_count: 3 to 10 shaded discs, boxes and triangles on a plain ground; number - 3
// * drawn/shapes_distance: such solids on a plane; distance of the nearest, 6 bins (CLEVR in VTAB)
// * drawn/digits: a digit between parts of others on a wall, like SVHN; 10 digits
std::unique_ptr<Dataset> open_drawn(const TaskInfo& task, std::string_view split);

}  // namespace marquee::datasets
