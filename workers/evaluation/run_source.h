// The images of a finished run, from the tokens that its result.h5 holds.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "experiments/run_config.h"
#include "workers/evaluation/image_source.h"

namespace marquee::workers {

// Whether `what` is a run: the folder of a run or of an attempt, or its result.h5.
bool is_run(const std::filesystem::path& what);
// All its images, batch by batch as the run decoded them, so that they are the same to the last bit
// at its number of threads. Throws environment for what is damaged or was made with other weights
// than those in `assets`, usage for an oracle row.
std::unique_ptr<ImageSource> open_run_images(const std::filesystem::path& what,
                                             const std::filesystem::path& assets);

struct RunOfImages {
  experiments::RunConfig run;
  int attempt = 0;  // 0: a result file outside its attempt's folder
};
// Throws environment for what is damaged.
RunOfImages run_of_images(const std::filesystem::path& what);

}  // namespace marquee::workers
