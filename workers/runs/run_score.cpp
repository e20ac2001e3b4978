#include "workers/runs/run_score.h"

#include "analysis/metrics/memorisation.h"
#include "workers/evaluation/score.h"

namespace marquee::workers {

SplitFeatures labelled(const Tensor& features, const Tensor& labels) {
  const Tensor chosen = (labels >= 0).nonzero().flatten();
  return {features.index_select(0, chosen), labels.index_select(0, chosen), {}};
}

std::vector<experiments::MetricValue> score_run(const experiments::RunConfig& run,
                                                const experiments::Protocol& protocol,
                                                const FeatureOutputs& generated,
                                                const Tensor& labels, const Scale& scale) {
  const std::string output = main_output(protocol);
  const Tensor& features = generated.at(output);
  const auto n = features.size(0), m = scale.reference.size(0);
  const MeasuredSet made{generated, {}, n}, real{{{output, scale.reference}}, {}, m};
  std::vector<experiments::MetricValue> metrics =
      score(protocol, protocol.metrics, made, real, run.network_hash, {run.seed});
  const auto add = [&](const char* name, const analysis::Estimate& estimate,
                       std::int64_t n_generated, std::int64_t n_reference) {
    metrics.push_back({name, estimate.value, estimate.standard_error, n_generated, n_reference,
                       protocol.name, run.network_hash});
  };
  if (scale.training.defined()) {
    add("memorisation", analysis::memorisation(features, scale.training, scale.reference), n, m);
  }
  const SplitFeatures named = labelled(features, labels);
  if (named.labels.numel() > 0 && scale.classes > 1) {
    add("label_accuracy", scale.probe.accuracy(named.features, named.labels), named.labels.numel(),
        scale.probe_images);
  }
  return metrics;
}

}  // namespace marquee::workers
