// Early stopping: the loss on images that are not trained on, looked at every so many steps, and
// the tensors of the best look.
#pragma once

#include <cstdint>
#include <vector>

#include "experiments/run_config.h"
#include "workers/models/parameters.h"
#include "workers/tuning/adapter.h"
#include "workers/tuning/token_set.h"

namespace marquee::workers {

struct Validation {
  std::vector<std::int64_t> steps;  // tuning steps taken before each look
  std::vector<double> losses;       // mean over the images
  std::size_t best = 0;             // which look
  ParameterMap best_trained;        // on the CPU; empty before the first look
};

// Mean loss on `images` without dropout, label smoothing or instances. What is masked depends on
// the seed and the image alone, so looks can be compared.
double validation_loss(const experiments::RunConfig& run, const TokenSet& images,
                       const Adapter& adapter);

// Looks once, after `step` steps.
void look(const experiments::RunConfig& run, const TokenSet& images, Adapter& adapter,
          std::int64_t step, Validation& validation);

// Whether the last `patience` looks were no better than the one before them.
bool has_stopped(const experiments::RunConfig& run, const Validation& validation);

// Puts the best look's tensors into the adapter; nothing where there was no look.
void restore_best(const Validation& validation, ParameterMap& trained);

}  // namespace marquee::workers
