#include "workers/tuning/validation.h"

#include "cluster/error.h"
#include "workers/models/masking.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

// Images [first, first + count), the centre view, not mirrored.
TuningBatch validation_batch(const experiments::RunConfig& run, const TokenSet& images,
                             const Adapter& adapter, std::int64_t first, std::int64_t count) {
  const std::int64_t positions = images.ids.size(3);
  TuningBatch batch;
  batch.targets = images.ids.narrow(0, first, count).select(1, 0).select(1, 0).contiguous();
  batch.identifiers.classes = images.labels.narrow(0, first, count);
  if (adapter.masks()) {
    const MaskSchedule schedule = parse_mask_schedule(run.mask_schedule);
    Tensor scores = torch::empty({count, positions});
    std::vector<std::int64_t> counts;
    for (std::int64_t i = 0; i < count; ++i) {
      PhiloxStream stream(run.seed, cluster::Purpose::validation, 0,
                          static_cast<std::uint64_t>(first + i));
      counts.push_back(mask_count(mask_rate(schedule, stream.uniform(), positions), positions));
      scores[i] = uniform_tensor(stream, {positions});
    }
    mask_batch(batch, scores, counts);
  }
  return batch.to(adapter.device());
}

}  // namespace

double validation_loss(const experiments::RunConfig& run, const TokenSet& images,
                       const Adapter& adapter) {
  const torch::InferenceMode inference;
  const std::int64_t rows = run.batch / run.micro_batches;
  std::vector<Tensor> losses;
  for (std::int64_t first = 0; first < images.size(); first += rows) {
    const TuningBatch batch =
        validation_batch(run, images, adapter, first, std::min(rows, images.size() - first));
    losses.push_back(adapter.sample_losses(batch, /*label_smoothing=*/0.0));
  }
  return at::cat(losses).to(torch::kCPU, torch::kFloat64).mean().item<double>();
}

void look(const experiments::RunConfig& run, const TokenSet& images, Adapter& adapter,
          std::int64_t step, Validation& validation) {
  validation.steps.push_back(step);
  validation.losses.push_back(validation_loss(run, images, adapter));
  const std::size_t newest = validation.losses.size() - 1;
  if (newest > 0 && !(validation.losses[newest] < validation.losses[validation.best])) return;
  validation.best = newest;
  for (const auto& [name, leaf] : adapter.trained())
    validation.best_trained[name] = leaf.detach().to(torch::kCPU, leaf.scalar_type(),
                                                     /*non_blocking=*/false, /*copy=*/true);
}

bool has_stopped(const experiments::RunConfig& run, const Validation& validation) {
  return validation.losses.size() > validation.best + static_cast<std::size_t>(run.patience);
}

void restore_best(const Validation& validation, ParameterMap& trained) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, best] : validation.best_trained) trained.at(name).copy_(best);
}

}  // namespace marquee::workers
