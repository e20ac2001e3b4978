// AdamW as optax computes it: epsilon outside the root, both moments bias-corrected, decoupled
// weight decay times the rate. Proven by tiny_transformer.h5 (`train/S*`, five steps with their
// moments).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "workers/models/parameters.h"

namespace marquee::workers {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.96;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  std::function<bool(const std::string& name)> decays{};  // which tensors decay; empty: all
};

struct AdamWState {
  ParameterMap mu;        // first moments
  ParameterMap nu;        // second moments
  std::int64_t step = 0;  // updates made
};

// Zero moments for `parameters`.
AdamWState init_adamw(const ParameterMap& parameters);

// One update of `parameters` in place (also of leaves that require a gradient). `gradients` has the
// same names and shapes (else a defect, and nothing has changed). `rate` is the learning rate of
// this step.
void adamw_step(ParameterMap& parameters, const ParameterMap& gradients, AdamWState& state,
                double rate, const AdamWOptions& options = {});

// Linear warm-up over `warmup` steps, then cosine to zero at `total`; step counts from 0. Without
// warm-up the first step has the full rate.
double cosine_rate(double peak, std::int64_t step, std::int64_t total, std::int64_t warmup = 0);

}  // namespace marquee::workers
