// The adapters of each family of transformer. `weights` are the base's and must outlive what is
// made. Throw usage when the family cannot have so many classes.
#pragma once

#include <memory>

#include "workers/tuning/adapter.h"

namespace marquee::workers {

std::unique_ptr<Adapter> make_masked_adapter(const experiments::RunConfig& run,
                                             const TransformerConfig& config,
                                             const ParameterMap& weights, int classes);

std::unique_ptr<Adapter> make_autoregressive_adapter(const experiments::RunConfig& run,
                                                     const GptConfig& config,
                                                     const ParameterMap& weights, int classes);

}  // namespace marquee::workers
