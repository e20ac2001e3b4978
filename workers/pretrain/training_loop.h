// The loop that the three pretraining stages share: AdamW with warm-up and cosine, a durable state
// every few steps, progress lines. A resumed stage ends with the same bits as one that was never
// interrupted.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "workers/models/adamw.h"
#include "workers/models/parameters.h"
#include "workers/pretrain/recipe.h"

namespace marquee::workers {

struct StageState {
  std::int64_t step = 0;
  ParameterMap parameters;  // leaves that require a gradient
  AdamWState adam;
  ParameterMap buffers;        // what a stage updates itself (codebook averages)
  std::vector<double> losses;  // one a step
};

// Loss of one step, a scalar that backward() is called on; may change `state.buffers` and non-leaf
// parts.
using StageStep = std::function<Tensor(std::int64_t step, StageState& state)>;
using ProgressPrinter = std::function<void(const std::string& line)>;

// Without the weight decay, which is the stage's.
inline const AdamWOptions kPretrainAdamW{0.9, 0.99, 1e-8};

// Trains until options.steps. `state_file`: read when it exists (and was written for `identity`,
// the hash of recipe and data; another one is refused), written every `checkpoint_interval` steps
// and at the end.
void train_stage(const std::string& name, const StageOptions& options, AdamWOptions adamw,
                 std::int64_t checkpoint_interval, const std::filesystem::path& state_file,
                 const std::string& identity, StageState& state, const StageStep& step,
                 const ProgressPrinter& print);

}  // namespace marquee::workers
