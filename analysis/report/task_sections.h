// What a page tells about each task: its table, samples beside real images, training curves.
#pragma once

#include <filesystem>

#include <kainjow/mustache.hpp>

#include "analysis/report/comparison.h"

namespace marquee::analysis {

// Data of `task_sections` in page/report.mustache. Copies sample grids into report/images/.
kainjow::mustache::data task_sections(const std::filesystem::path& results,
                                      const Comparison& comparison);

}  // namespace marquee::analysis
