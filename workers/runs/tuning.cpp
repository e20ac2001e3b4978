#include "workers/runs/tuning.h"

#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/log.h"
#include "workers/device.h"
#include "workers/tuning/checkpoint.h"
#include "workers/tuning/validation.h"

namespace marquee::workers {
namespace {

// The ranks of a gang have gone on from the same checkpoint.
void check_same_step(Communicator& gang, std::int64_t step) {
  const auto halves = [](std::int64_t number) {  // exact in float32
    constexpr std::int64_t kHalf = 1 << 16;
    return torch::tensor({static_cast<float>(number / kHalf), static_cast<float>(number % kHalf)});
  };
  if (gang.sum(halves(step)).equal(halves(step) * gang.size())) return;
  cluster::throw_environment("rank " + std::to_string(gang.rank()) + " of the gang is at step " +
                             std::to_string(step) +
                             ", others at another: they do not see the same checkpoints");
}

}  // namespace

Tuned tune(const experiments::RunConfig& run, const std::filesystem::path& attempt_folder,
           const TokenSet& tokens, const TokenSet& validation, Adapter& adapter, Communicator& gang,
           ProgressSink& sink, TuningState& state) {
  const experiments::RunId id = experiments::run_id(run);
  const bool leads = gang.rank() == 0;
  ParameterMap& trained = adapter.trained();
  Tuned tuned;
  state.adam = init_adamw(trained);
  tuned.resumed = resume(attempt_folder.parent_path(), id, trained, state);
  if (tuned.resumed) cluster::log_info("run", "continues from " + tuned.resumed->string());
  check_same_step(gang, state.step);
  const std::int64_t first_step = state.step;
  Pace pace(sink, "tune");
  const DeterministicKernels deterministic(adapter.device());
  try {
    while (state.step < run.steps && !has_stopped(run, state.validation)) {
      pace.report(state.step, run.steps, gang);
      tuning_step(run, tokens, adapter, gang, state);
      cluster::failpoint("trainer.tuned");
      const bool last = state.step == run.steps,
                 looks = run.early_stopping > 0 && (last || state.step % run.early_stopping == 0),
                 saves = leads && (last || state.step % run.checkpoint_interval == 0);
      if (looks || saves) gang.settle();
      if (looks) look(run, validation, adapter, state.step, state.validation);
      if (saves) {
        settle_losses(state);
        write_checkpoint(attempt_folder, id, trained, state);
        cluster::failpoint("trainer.checkpointed");
      }
    }
  } catch (const Interrupted&) {
    gang.settle();
    settle_losses(state);
    if (leads) write_checkpoint(attempt_folder, id, trained, state);
    throw;
  }
  gang.settle();
  settle_losses(state);
  if (leads) restore_best(state.validation, trained);
  tuned.steps = state.step - first_step;
  return tuned;
}

}  // namespace marquee::workers
