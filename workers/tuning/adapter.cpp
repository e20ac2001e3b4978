#include "workers/tuning/adapter.h"

#include "workers/tuning/family_adapters.h"

namespace marquee::workers {

std::unique_ptr<Adapter> make_adapter(const experiments::RunConfig& run, const BaseModel& base,
                                      int classes) {
  if (const auto* gpt = std::get_if<GptConfig>(&base.transformer.config))
    return make_autoregressive_adapter(run, *gpt, base.transformer.weights, classes);
  return make_masked_adapter(run, std::get<TransformerConfig>(base.transformer.config),
                             base.transformer.weights, classes);
}

torch::ScalarType compute_type(const experiments::RunConfig& run) {
  return run.compute == "bf16" ? torch::kBFloat16 : torch::kFloat32;
}

}  // namespace marquee::workers
