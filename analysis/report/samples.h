// Sample grids that a page shows.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "analysis/report/comparison.h"

namespace marquee::analysis {

std::filesystem::path attempt_folder(const std::filesystem::path& results, const RunEntry& run);

// Bytes of an attempt's grid (samples.png); nothing where there is none. Throws environment for one
// of more than 64 MiB.
std::optional<std::string> read_samples(const std::filesystem::path& attempt_folder);

// Copies the grid of an attempt into `folder`, unless it is there already; returns its name there,
// "" where there is none (any more).
std::string copy_samples(const std::filesystem::path& results, const RunEntry& run,
                         const std::filesystem::path& folder);

}  // namespace marquee::analysis
