// Splits of a prepared TFDS folder, examples in stored order.
#pragma once

#include <memory>
#include <vector>

#include "datasets/data_folder.h"
#include "datasets/dataset.h"
#include "datasets/tfds_folder.h"

namespace marquee::datasets {

// Rows of the named slices, one after the other; a slice that passes the end of its split is
// clipped there. Throws environment when a shard is missing or does not hold what dataset_info.json
// declares, and for a record in these rows whose label cannot be read. `join_neighbours`:
// slices that follow one another count as one piece in iteration_order(), as `train` does beside
// `train[:90%]+train[90%:]`.
std::unique_ptr<Dataset> open_tfds(const TaskInfo& task, const std::vector<Slice>& slices,
                                   const DataFolder& data, bool join_neighbours = false);

}  // namespace marquee::datasets
