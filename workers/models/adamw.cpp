#include "workers/models/adamw.h"

#include <cmath>
#include <numbers>

#include "cluster/error.h"

namespace marquee::workers {

AdamWState init_adamw(const ParameterMap& parameters) {
  AdamWState state;
  for (const auto& [name, tensor] : parameters) {
    state.mu[name] = torch::zeros_like(tensor.detach());
    state.nu[name] = torch::zeros_like(tensor.detach());
  }
  return state;
}

void adamw_step(ParameterMap& parameters, const ParameterMap& gradients, AdamWState& state,
                double rate, const AdamWOptions& options) {
  for (const auto& [name, parameter] : parameters) {
    MARQUEE_CHECK(gradients.contains(name) && gradients.at(name).defined() &&
                      gradients.at(name).sizes() == parameter.sizes() && state.mu.contains(name) &&
                      state.nu.contains(name),
                  "adamw_step: no gradient or moments of the right shape for '" + name + "'");
  }
  const torch::NoGradGuard no_grad;
  ++state.step;
  const auto count = static_cast<double>(state.step);
  const double correction1 = 1.0 - std::pow(options.beta1, count);
  const double correction2 = 1.0 - std::pow(options.beta2, count);
  for (auto& [name, parameter] : parameters) {
    const Tensor& gradient = gradients.at(name);
    Tensor& mu = state.mu.at(name);
    Tensor& nu = state.nu.at(name);
    mu.mul_(options.beta1).add_(gradient, 1.0 - options.beta1);
    nu.mul_(options.beta2).addcmul_(gradient, gradient, 1.0 - options.beta2);
    const Tensor root = nu.div(correction2).sqrt_().add_(options.epsilon);
    Tensor update = mu.div(correction1).div_(root);
    if (options.weight_decay != 0 && (!options.decays || options.decays(name)))
      update.add_(parameter, options.weight_decay);
    parameter.add_(update, -rate);
  }
}

double cosine_rate(double peak, std::int64_t step, std::int64_t total, std::int64_t warmup) {
  MARQUEE_CHECK(total > warmup && step >= 0 && warmup >= 0,
                "cosine_rate: 0 <= warmup < total, step >= 0");
  if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const double progress =
      static_cast<double>(std::min(step, total) - warmup) / static_cast<double>(total - warmup);
  return peak * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

}  // namespace marquee::workers
