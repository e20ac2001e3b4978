// A base of a few thousand random numbers, for tests of everything around the networks.
#pragma once

#include <filesystem>

#include "experiments/run_config.h"
#include "tests/cluster/temporary_folder.h"
#include "workers/base_model.h"

namespace marquee::workers {

using cluster::TemporaryFolder;

BaseModel tiny_base();
// The same sizes of the other families: a taming tokenizer and an autoregressive transformer.
BaseModel tiny_autoregressive_base();
// Writes it to assets/tiny and returns it as it is read back (rounded to fp16).
BaseModel install(const BaseModel& base, const std::filesystem::path& assets);
BaseModel install_tiny_base(const std::filesystem::path& assets);

// Random numbers for every tensor: norms around one, the others small.
ParameterMap random_weights(const ShapeMap& shapes, std::uint64_t seed, float scale);

// A short run on a drawn task with that base; hashes are those of `base`.
experiments::RunConfig tiny_run(const BaseModel& base, const std::string& method = "prompt");

// Flips one byte in the middle of a file.
void damage(const std::filesystem::path& file);

bool same_bits(const ParameterMap& a, const ParameterMap& b);

}  // namespace marquee::workers
