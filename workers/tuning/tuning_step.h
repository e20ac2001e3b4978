// One step of tuning. Everything random comes from streams keyed by (seed, purpose, step, row of
// the batch), so a step is the same whoever computes which micro-batch, and after a resume.
#pragma once

#include "experiments/run_config.h"
#include "workers/models/adamw.h"
#include "workers/tuning/adapter.h"
#include "workers/tuning/communicator.h"
#include "workers/tuning/token_set.h"
#include "workers/tuning/validation.h"

namespace marquee::workers {

struct TuningState {
  std::int64_t step = 0;  // steps taken
  AdamWState adam{};
  std::vector<double> losses{};   // of each step, before its update
  std::vector<Tensor> pending{};  // of the last steps, not read from the device yet (settle_losses)
  Validation validation{};        // with early stopping
  std::vector<std::string> gradient_order{};  // of GradientSum
};

// Rows [first, first + count) of the batch of `step`, on the adapter's device.
TuningBatch make_batch(const experiments::RunConfig& run, const TokenSet& tokens,
                       const Adapter& adapter, std::int64_t step, std::int64_t first,
                       std::int64_t count);

// Collective over the gang. On a GPU nothing waits for it, but every few steps, where their losses
// are read. Throws environment when a loss is not finite.
void tuning_step(const experiments::RunConfig& run, const TokenSet& tokens, Adapter& adapter,
                 Communicator& gang, TuningState& state);

// Reads what is pending; before a checkpoint and at the end, once the gang is settled. Throws as
// tuning_step does.
void settle_losses(TuningState& state);

}  // namespace marquee::workers
