// Activations computed again on the way back give the bits of those that were kept.
#include "workers/models/recompute.h"

#include <gtest/gtest.h>

#include "datasets/task.h"
#include "tests/workers/tiny_base.h"
#include "workers/tuning/tuning_step.h"

namespace marquee::workers {
namespace {

TEST(Recompute, CallsThePartAgainOnTheWayBack) {
  int calls = 0;
  const ParameterMap weights{{"a", torch::full({3}, 2.0).requires_grad_()},
                             {"b", torch::full({3}, 5.0)}};
  const Tensor x = torch::full({3}, 4.0).requires_grad_();
  const Tensor y = recomputed(
      [&](const Tensor& input, const ParameterMap& parameters) {
        ++calls;
        return input * input * parameters.at("a") * parameters.at("b");
      },
      x, weights);
  EXPECT_EQ(calls, 1);
  y.sum().backward();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(x.grad()[0].item<double>(), 80.0);                // 2 x a b
  EXPECT_EQ(weights.at("a").grad()[0].item<double>(), 80.0);  // x^2 b
  EXPECT_FALSE(weights.at("b").grad().defined());
}

TEST(Recompute, TuningHasTheSameBits) {
  at::set_num_threads(1);
  for (const BaseModel& base : {tiny_base(), tiny_autoregressive_base()}) {
    for (const char* method : {"prompt", "finetune", "lora", "linear_class"}) {
      const auto tuned = [&](bool recompute) {
        experiments::RunConfig run = tiny_run(base, method);
        run.recompute_activations = recompute;
        TokenSet tokens;
        tokens.classes = datasets::find_task(run.task).num_classes;
        tokens.labels = torch::arange(tokens.classes);
        tokens.ids = (torch::arange(tokens.classes * base.transformer.tokens()) * 7 % 31)
                         .reshape({tokens.classes, 1, 1, -1});
        const auto adapter = make_adapter(run, base, tokens.classes);
        TuningState state{0, init_adamw(adapter->trained())};
        LocalCommunicator alone;
        while (state.step < 3) tuning_step(run, tokens, *adapter, alone, state);
        return adapter->trained();
      };
      EXPECT_TRUE(same_bits(tuned(false), tuned(true))) << method;
    }
  }
}

}  // namespace
}  // namespace marquee::workers
