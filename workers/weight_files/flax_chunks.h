// Arrays above 2^30 bytes in a flax checkpoint: a map of a mark, the shape and 1-d pieces, whose
// entries come out of the reader as "<name>/shape/0", "<name>/chunks/0" and so on.
#pragma once

#include "workers/weight_files/weight_file.h"

namespace marquee::workers {

// Puts one tensor of several parts (or one entry of `unsupported`) where the entries of a chunked
// array are. Throws environment naming source and tensor when they do not fit together.
void join_flax_chunks(WeightFile& weights);

}  // namespace marquee::workers
