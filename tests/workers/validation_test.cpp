// Early stopping: looks at val200, the best look, and that being killed changes nothing.
#include "workers/tuning/validation.h"

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "datasets/task.h"
#include "tests/workers/tiny_base.h"
#include "workers/tuning/checkpoint.h"
#include "workers/tuning/tuning_step.h"

namespace marquee::workers {
namespace {

class EarlyStopping : public testing::Test {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    base_ = install_tiny_base(folder_.path() / "assets");
    run_ = tiny_run(base_);
    run_.early_stopping = 2;
    const datasets::DataFolder data{"", folder_.path() / "cache"};
    tokens_ = load_tokens(run_, base_, data, [](auto, auto) {});
    images_ = load_validation_tokens(run_, base_, data, [](auto, auto) {});
  }
  std::unique_ptr<Adapter> adapter() const {
    return make_adapter(run_, base_, datasets::find_task(run_.task).num_classes);
  }
  // As the executor goes about it, up to `until` steps.
  void tune(Adapter& adapter, TuningState& state, std::int64_t until) const {
    LocalCommunicator alone;
    while (state.step < until && !has_stopped(run_, state.validation)) {
      tuning_step(run_, tokens_, adapter, alone, state);
      if (state.step % run_.early_stopping == 0)
        look(run_, images_, adapter, state.step, state.validation);
    }
  }

  TemporaryFolder folder_;
  BaseModel base_;
  experiments::RunConfig run_;
  TokenSet tokens_, images_;
};

TEST_F(EarlyStopping, LooksAtImagesThatAreNotTrainedOn) {
  EXPECT_EQ(images_.split, "val200");
  EXPECT_EQ(images_.size(), 200);
  EXPECT_EQ(images_.ids.sizes(), at::IntArrayRef({200, 1, 1, base_.transformer.tokens()}));
}

TEST_F(EarlyStopping, ALookDependsOnTheTensorsAlone) {
  const auto own = adapter();
  const double first = validation_loss(run_, images_, *own);
  EXPECT_EQ(first, validation_loss(run_, images_, *own));
  EXPECT_GT(first, 0);
  const torch::NoGradGuard no_grad;
  for (auto& [name, leaf] : own->trained()) leaf.mul_(20);
  EXPECT_NE(first, validation_loss(run_, images_, *own));
}

TEST_F(EarlyStopping, KeepsTheTensorsOfTheBestLook) {
  run_.patience = 100;
  const auto own = adapter();
  TuningState state{0, init_adamw(own->trained())};
  std::vector<ParameterMap> seen;
  LocalCommunicator alone;
  while (state.step < run_.steps) {
    tuning_step(run_, tokens_, *own, alone, state);
    if (state.step % 2 != 0) continue;
    look(run_, images_, *own, state.step, state.validation);
    seen.push_back(trainable_copy(own->trained()));
  }
  const auto& losses = state.validation.losses;
  const auto best = std::min_element(losses.begin(), losses.end()) - losses.begin();
  EXPECT_EQ(static_cast<std::ptrdiff_t>(state.validation.best), best);
  restore_best(state.validation, own->trained());
  EXPECT_TRUE(same_bits(own->trained(), seen[static_cast<std::size_t>(best)]));
}

TEST_F(EarlyStopping, EndsAfterPatienceWithoutASmallerLoss) {
  run_.patience = 2;
  Validation looks{{2, 4, 6}, {3.0, 2.0, 2.5}, 1, {}};
  EXPECT_FALSE(has_stopped(run_, looks));
  looks.losses.push_back(2.0);  // no smaller
  EXPECT_TRUE(has_stopped(run_, looks));
  EXPECT_FALSE(has_stopped(run_, {}));
}

TEST_F(EarlyStopping, GoesOnFromACheckpointWithTheSameLooksAndBits) {
  const auto straight = adapter();
  TuningState whole{0, init_adamw(straight->trained())};
  tune(*straight, whole, run_.steps);
  const experiments::RunId id = experiments::run_id(run_);
  {
    const auto first = adapter();
    TuningState state{0, init_adamw(first->trained())};
    tune(*first, state, 5);
    write_checkpoint(folder_.path(), id, first->trained(), state);
  }
  const auto second = adapter();
  TuningState state;
  read_checkpoint(folder_.path() / "checkpoint-5.h5", id, second->trained(), state);
  tune(*second, state, run_.steps);
  EXPECT_EQ(state.validation.steps, whole.validation.steps);
  EXPECT_EQ(state.validation.losses, whole.validation.losses);
  EXPECT_TRUE(same_bits(state.validation.best_trained, whole.validation.best_trained));
  EXPECT_TRUE(same_bits(second->trained(), straight->trained()));
}

}  // namespace
}  // namespace marquee::workers
