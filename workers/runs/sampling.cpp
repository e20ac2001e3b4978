#include "workers/runs/sampling.h"

#include "cluster/error.h"
#include "workers/image_tensor.h"

namespace marquee::workers {

namespace {

Tensor labels_in_turn(std::int64_t first, std::int64_t count, int classes) {
  return torch::arange(first, first + count, torch::kInt64) % classes;
}

}  // namespace

Subjects subjects_of_image(const experiments::RunConfig& run, std::int64_t index,
                           const TaskClasses& task) {
  return subjects_of(run, labels_in_turn(index, 1, task.classes), static_cast<std::uint64_t>(index),
                     task);
}

Tensor sample_image_tokens(const experiments::RunConfig& run, const Adapter& adapter,
                           const Subjects& subjects, std::int64_t index,
                           const FrameObserver& observe) {
  MARQUEE_CHECK(index >= 0 && index < run.samples, "sample_image_tokens: no such image");
  const std::int64_t row = index % run.decode_batch, first = index - row;
  const std::int64_t rows = std::min<std::int64_t>(run.decode_batch, run.samples - first);
  const auto filled = [&](const Tensor& ids) { return ids.defined() ? ids.expand({rows}) : ids; };
  Subjects batch;
  for (const Identifiers& subject : subjects)
    batch.emplace_back(filled(subject.classes), filled(subject.instances));
  FrameObserver on_frame;
  if (observe) {
    on_frame = [&](const DecodeFrame& frame) {
      observe({frame.step, frame.steps, frame.tokens.narrow(0, row, 1),
               frame.settled.narrow(0, row, 1)});
    };
  }
  return adapter.sample_tokens(run, batch, static_cast<std::uint64_t>(first), on_frame)
      .narrow(0, row, 1);
}

Samples generate(const experiments::RunConfig& run, const BaseModel& base, const Adapter& adapter,
                 const TaskClasses& task, std::int64_t keep, const CountProgress& progress) {
  const torch::InferenceMode inference;
  Samples samples;
  std::vector<Tensor> labels, tokens, features;
  for (std::int64_t first = 0; first < run.samples; first += run.decode_batch) {
    progress(first, run.samples);
    const std::int64_t count = std::min<std::int64_t>(run.decode_batch, run.samples - first);
    const auto place = static_cast<std::uint64_t>(first);
    const Subjects subjects =
        subjects_of(run, labels_in_turn(first, count, task.classes), place, task);
    labels.push_back(labels_of(subjects));
    tokens.push_back(adapter.sample_tokens(run, subjects, place));
    const Tensor images = base.tokenizer.decode(tokens.back());
    if (!base.features.empty()) {
      features.push_back(
          image_features(base.feature_config, base.features, rounded_to_levels(images)));
    }
    append_images(images, keep, samples.images);
  }
  samples.labels = at::cat(labels);
  samples.tokens = at::cat(tokens);
  if (!features.empty()) samples.features = at::cat(features);
  return samples;
}

}  // namespace marquee::workers
