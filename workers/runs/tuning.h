// The tuning of an attempt: from a checkpoint, where there is one, to the last step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "experiments/run_config.h"
#include "workers/runs/pace.h"
#include "workers/tuning/tuning_step.h"

namespace marquee::workers {

struct Tuned {
  std::optional<std::filesystem::path> resumed;  // the checkpoint that it went on from
  std::int64_t steps = 0;                        // taken here
};

// Collective over the gang. `state` says how far it came, also where Interrupted is thrown. Rank 0
// writes checkpoints into `attempt_folder` and ends with the tensors of the best look where
// `validation` is looked at. Throws environment where the ranks do not see the same checkpoints,
// and as tuning_step does.
Tuned tune(const experiments::RunConfig& run, const std::filesystem::path& attempt_folder,
           const TokenSet& tokens, const TokenSet& validation, Adapter& adapter, Communicator& gang,
           ProgressSink& sink, TuningState& state);

}  // namespace marquee::workers
