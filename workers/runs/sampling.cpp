#include "workers/runs/sampling.h"

#include "cluster/error.h"
#include "workers/image_tensor.h"

namespace marquee::workers {

Subjects subjects_of_image(const experiments::RunConfig& run, std::int64_t index,
                           const TaskClasses& task) {
  return subjects_of(run, labels_of_samples(task, index + 1).narrow(0, index, 1),
                     static_cast<std::uint64_t>(index), task);
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

Samples generate(const experiments::RunConfig& run, const BaseTokenizer& tokenizer,
                 const Adapter& adapter, const TaskClasses& task, const FeatureNetwork* network,
                 const std::vector<std::string>& outputs, std::int64_t keep,
                 const CountProgress& progress, const FrameObserver& observe) {
  const torch::InferenceMode inference;
  Samples samples;
  std::vector<Tensor> labels, tokens;
  FeatureParts features;
  const Tensor asked = labels_of_samples(task, run.samples);
  for (std::int64_t first = 0; first < run.samples; first += run.decode_batch) {
    progress(first, run.samples);
    const std::int64_t count = std::min<std::int64_t>(run.decode_batch, run.samples - first);
    const auto place = static_cast<std::uint64_t>(first);
    const Subjects subjects = subjects_of(run, asked.narrow(0, first, count), place, task);
    labels.push_back(labels_of(subjects));
    tokens.push_back(
        adapter.sample_tokens(run, subjects, place, first == 0 ? observe : FrameObserver()));
    const Tensor images = tokenizer.decode(tokens.back());
    if (network != nullptr) features.add(network->extract_decoded(images, outputs));
    append_images(images, keep, samples.images);
  }
  samples.labels = at::cat(labels);
  samples.tokens = at::cat(tokens);
  samples.features = features.all();
  return samples;
}

}  // namespace marquee::workers
