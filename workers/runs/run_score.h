// The numbers of a run: those of its protocol, and those that need its training images and labels.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/metrics/linear_probe.h"
#include "experiments/protocols.h"
#include "experiments/result_record.h"
#include "experiments/run_config.h"
#include "workers/features/feature_network.h"
#include "workers/runs/reference_images.h"

namespace marquee::workers {

// Rows that have a label.
SplitFeatures labelled(const Tensor& features, const Tensor& labels);

// What generated images are compared with.
struct Scale {
  Tensor reference;  // features of the reference split
  Tensor training;   // of the images that the run was tuned on; undefined where it was not
  const analysis::LinearProbe& probe;
  std::int64_t probe_images;
  int classes;
};

// `generated`: outputs of the network for each of the run's images; `labels`: int64 [n].
std::vector<experiments::MetricValue> score_run(const experiments::RunConfig& run,
                                                const experiments::Protocol& protocol,
                                                const FeatureOutputs& generated,
                                                const Tensor& labels, const Scale& scale);

}  // namespace marquee::workers
