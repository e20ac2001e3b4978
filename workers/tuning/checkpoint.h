// checkpoint-<step>.h5: trained tensors, moments, curve and step of a run in the middle of tuning.
// Written aside, sealed, synced, renamed; the last two are kept.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "experiments/run_config.h"
#include "workers/models/parameters.h"
#include "workers/tuning/tuning_step.h"

namespace marquee::workers {

// Writes attempt_folder/checkpoint-<step>.h5 and removes those before the last two of this folder.
void write_checkpoint(const std::filesystem::path& attempt_folder, const experiments::RunId& run,
                      const ParameterMap& trained, const TuningState& state);

// Reads into `trained` (values of the leaves) and `state`. Throws environment for a damaged file or
// one of another run.
void read_checkpoint(const std::filesystem::path& file, const experiments::RunId& run,
                     ParameterMap& trained, TuningState& state);

// Loads the newest valid checkpoint of any attempt below `run_folder` that is newer than the newest
// finished one (a rerun computes anew); damaged ones are logged and the one before is tried.
// Returns the file, or nothing when tuning starts afresh.
std::optional<std::filesystem::path> resume(const std::filesystem::path& run_folder,
                                            const experiments::RunId& run, ParameterMap& trained,
                                            TuningState& state);

}  // namespace marquee::workers
