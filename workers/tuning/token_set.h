// The images that a run is tuned on: chosen by shots and seed, as tokens.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "experiments/run_config.h"
#include "workers/base_model.h"
#include "workers/tuning/token_cache.h"

namespace marquee::workers {

struct TokenSet {
  Tensor ids;     // int64 [n, crops, 1 or 2, N]; of the third axis the second is mirrored
  Tensor labels;  // int64 [n], in [0, classes)
  int classes = 0;
  // Which images of which split, so that anyone can choose them again.
  std::string split;
  std::vector<std::size_t> rows;     // ascending places in the split
  std::vector<std::string> names;    // file names or ids as stored
  std::vector<std::string> skipped;  // records left out (on_bad_record: skip), with the reasons
  std::int64_t size() const { return ids.size(0); }
};

// Encodes what the cache lacks. With `on_bad_record: skip` an image that cannot be read is replaced
// by the next of its class. Throws usage naming the classes that have fewer images than shots.
TokenSet load_tokens(const experiments::RunConfig& run, const BaseModel& base,
                     const datasets::DataFolder& data, const CountProgress& progress);

// The images that early stopping looks at: val200, the centre view, not mirrored; without those
// that have no class or cannot be read (`on_bad_record: skip`).
TokenSet load_validation_tokens(const experiments::RunConfig& run, const BaseModel& base,
                                const datasets::DataFolder& data, const CountProgress& progress);

// What the cache must hold for the run.
TokenRecipe token_recipe(const experiments::RunConfig& run, const std::string& split);

}  // namespace marquee::workers
