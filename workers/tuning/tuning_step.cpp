#include "workers/tuning/tuning_step.h"

#include <cmath>

#include "cluster/error.h"
#include "workers/models/masking.h"
#include "workers/random.h"
#include "workers/tuning/gradient_sum.h"

namespace marquee::workers {
namespace {

using cluster::Purpose;
using experiments::RunConfig;

constexpr std::int64_t kStepsBetweenReads = 16;  // of losses that lie on a GPU

PhiloxStream stream_of(const RunConfig& run, Purpose purpose, std::int64_t step, std::int64_t row) {
  return {run.seed, purpose, static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(row)};
}

// The endless sequence of shuffled epochs; an epoch is shuffled once for the places asked for in a
// row.
class EpochOrder {
 public:
  EpochOrder(const RunConfig& run, std::int64_t size) : run_(run), size_(size) {}

  std::int64_t image_at(std::int64_t place) {
    if (place / size_ != epoch_) {
      epoch_ = place / size_;
      PhiloxStream stream = stream_of(run_, Purpose::batch_order, epoch_, 0);
      order_ = cluster::permutation(stream, static_cast<std::size_t>(size_));
    }
    return static_cast<std::int64_t>(order_[static_cast<std::size_t>(place % size_)]);
  }

 private:
  const RunConfig& run_;
  std::int64_t size_, epoch_ = -1;
  std::vector<std::size_t> order_;
};

}  // namespace

TuningBatch make_batch(const RunConfig& run, const TokenSet& tokens, const Adapter& adapter,
                       std::int64_t step, std::int64_t first, std::int64_t count) {
  const auto crops = static_cast<std::uint64_t>(tokens.ids.size(1));
  const std::int64_t sides = tokens.ids.size(2), positions = tokens.ids.size(3);
  const bool masks = adapter.masks(), told_instances = experiments::knows_instances(run);
  const MaskSchedule schedule = parse_mask_schedule(run.mask_schedule);
  const auto [length, width] = adapter.dropout_shape();
  const auto keep = static_cast<float>(1.0 - run.dropout);
  TuningBatch batch;
  Tensor scores = torch::empty({count, positions});
  if (length > 0 && run.dropout > 0) batch.dropout = torch::empty({count, length, width});
  EpochOrder order(run, tokens.size());
  std::vector<Tensor> targets;
  std::vector<std::int64_t> labels, counts, instances;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = first + i;
    const std::int64_t image = order.image_at(step * run.batch + row);
    const bool mirrored = sides == 2 && stream_of(run, Purpose::flip, step, row).below(2) == 1;
    const std::uint64_t crop =
        crops == 1 ? 0 : stream_of(run, Purpose::view, step, row).below(crops);
    targets.push_back(tokens.ids[image][static_cast<std::int64_t>(crop)][mirrored ? 1 : 0]);
    labels.push_back(tokens.labels[image].item<std::int64_t>());
    if (told_instances) {
      const bool left_out = stream_of(run, Purpose::instance_dropout, step, row).uniform() <
                            static_cast<float>(run.instance_dropout);
      instances.push_back(left_out ? -1 : image);
    }
    if (masks) {
      // The released code draws one mask rate a step for the whole batch.
      const std::int64_t rate_row = run.masking == "released" ? 0 : row + 1;
      const float drawn = stream_of(run, Purpose::mask_rate, step, rate_row).uniform();
      counts.push_back(mask_count(mask_rate(schedule, drawn, positions), positions));
      PhiloxStream score_stream = stream_of(run, Purpose::mask_scores, step, row);
      scores[i] = uniform_tensor(score_stream, {positions});
    }
    if (batch.dropout.defined()) {
      PhiloxStream dropout_stream = stream_of(run, Purpose::dropout, step, row);
      batch.dropout[i] =
          (uniform_tensor(dropout_stream, {length, width}) < keep).to(torch::kFloat32) / keep;
    }
  }
  batch.targets = at::stack(targets);
  batch.identifiers.classes = id_tensor(labels);
  if (told_instances) batch.identifiers.instances = id_tensor(instances);
  if (masks) mask_batch(batch, scores, counts);
  return batch.to(adapter.device());
}

void tuning_step(const RunConfig& run, const TokenSet& tokens, Adapter& adapter, Communicator& gang,
                 TuningState& state) {
  MARQUEE_CHECK(run.micro_batches % gang.size() == 0, "the gang's size must divide micro_batches");
  const std::int64_t rows = run.batch / run.micro_batches, mine = run.micro_batches / gang.size();
  ParameterMap& trained = adapter.trained();
  GradientSum sum(trained, mine, gang, state.gradient_order);
  for (std::int64_t micro = gang.rank() * mine; micro < (gang.rank() + 1) * mine; ++micro) {
    const TuningBatch batch = make_batch(run, tokens, adapter, state.step, micro * rows, rows);
    sum.add(adapter.sample_losses(batch, run.label_smoothing).sum() /
            static_cast<double>(run.batch));
  }
  const GradientSum::Result all = sum.finish();
  const AdamWOptions options{0.9, 0.96, 1e-8, run.weight_decay};
  adamw_step(trained, all.gradients, state.adam,
             cosine_rate(run.learning_rate, state.step, run.steps), options);
  state.pending.push_back(all.loss);
  ++state.step;
  const bool far_away = !adapter.device().is_cpu();
  if (!far_away || std::ssize(state.pending) >= kStepsBetweenReads) {
    gang.settle();
    settle_losses(state);
  }
}

void settle_losses(TuningState& state) {
  if (state.pending.empty()) return;
  const Tensor read = at::stack(state.pending).to(torch::kCPU, torch::kFloat64);
  state.pending.clear();
  for (std::int64_t i = 0; i < read.size(0); ++i) {
    const double loss = read[i].item<double>();
    if (!std::isfinite(loss)) {
      cluster::throw_environment("tuning diverged at step " + std::to_string(state.losses.size()) +
                                 ": the loss is not finite; lower learning_rate");
    }
    state.losses.push_back(loss);
  }
}

}  // namespace marquee::workers
