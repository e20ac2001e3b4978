// Tuning: the same bits however many ranks share a step, and after any resume.
#include <condition_variable>
#include <functional>
#include <mutex>
#include <numeric>
#include <thread>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "datasets/task.h"
#include "experiments/run_folder.h"
#include "tests/workers/tiny_base.h"
#include "workers/random.h"
#include "workers/tuning/checkpoint.h"
#include "workers/tuning/gradient_tree.h"
#include "workers/tuning/tuning_step.h"

namespace marquee::workers {
namespace {

// Ranks as threads of this process.
class ThreadGang {
 public:
  explicit ThreadGang(int size) : slots_(static_cast<std::size_t>(size)) {}

  class Member : public Communicator {
   public:
    Member(ThreadGang& gang, int rank) : gang_(gang), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return static_cast<int>(gang_.slots_.size()); }
    Tensor sum(const Tensor& mine) override {
      return tree_sum(gang_.gather(static_cast<std::size_t>(rank_), mine));
    }

   private:
    ThreadGang& gang_;
    int rank_;
  };

 private:
  std::vector<Tensor> gather(std::size_t rank, const Tensor& mine) {
    std::unique_lock lock(mutex_);
    slots_[rank] = mine.clone();
    wait(lock);
    std::vector<Tensor> all = slots_;
    wait(lock);
    return all;
  }
  void wait(std::unique_lock<std::mutex>& lock) {
    const std::size_t round = round_;
    if (++arrived_ == slots_.size()) {
      arrived_ = 0;
      ++round_;
      changed_.notify_all();
    } else {
      changed_.wait(lock, [&] { return round_ != round; });
    }
  }

  std::vector<Tensor> slots_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t arrived_ = 0, round_ = 0;
};

struct Tuned {
  ParameterMap trained;
  std::vector<double> losses;
};

class Tuning : public testing::Test {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    start_with(tiny_base());
  }
  void start_with(const BaseModel& base) {
    base_ = install(base, folder_.path() / "assets");
    run_ = tiny_run(base_);
    tokens_ = load_tokens(run_, base_, data(), [](auto, auto) {});
  }
  datasets::DataFolder data(const char* cache = "cache") const {
    return {"", folder_.path() / cache};
  }
  std::unique_ptr<Adapter> adapter() const {
    const TaskClasses told =
        task_classes(run_, datasets::find_task(run_.task).num_classes, tokens_.labels);
    return make_adapter(run_, base_, told.classes, told.instances());
  }
  void steps(Adapter& adapter, Communicator& gang, TuningState& state, std::int64_t until) const {
    while (state.step < until) tuning_step(run_, tokens_, adapter, gang, state);
  }
  Tuned tune_with_gang(int size) const {
    ThreadGang gang(size);
    std::vector<Tuned> results(static_cast<std::size_t>(size));
    std::vector<std::thread> ranks;
    for (int rank = 0; rank < size; ++rank) {
      ranks.emplace_back([&, rank] {
        ThreadGang::Member member(gang, rank);
        const auto own = adapter();
        TuningState state{0, init_adamw(own->trained())};
        steps(*own, member, state, run_.steps);
        results[static_cast<std::size_t>(rank)] = {own->trained(), state.losses};
      });
    }
    for (std::thread& rank : ranks) rank.join();
    for (const Tuned& other : results) {
      EXPECT_TRUE(same_bits(results[0].trained, other.trained)) << "ranks disagree";
    }
    return results[0];
  }

  TemporaryFolder folder_;
  BaseModel base_;
  experiments::RunConfig run_;
  TokenSet tokens_;
};

TEST(GradientTree, AddsPairwiseAndNotInARow) {
  // 1e8 + 1 is 1e8 in float32: the tree keeps the ones together.
  const auto number = [](double value) { return torch::full({1}, value); };
  EXPECT_EQ(tree_sum({number(1e8), number(-1e8), number(1), number(1)}).item<float>(), 2.0F);
  EXPECT_EQ(tree_sum({number(1e8), number(1), number(-1e8), number(1)}).item<float>(), 0.0F);
}

TEST(GradientTree, RefusesANumberThatIsNoPowerOfTwo) {
  const Tensor one = torch::ones({1});
  EXPECT_THROW(tree_sum({one, one, one}), cluster::Error);
}

TEST_F(Tuning, HasTheSameBitsForOneTwoAndFourRanks) {
  const std::vector<std::function<void(experiments::RunConfig&)>> ways{
      [](auto&) {},
      [](auto& run) {
        run.conditions = "both";
        run.prompt_kind = "factorised";
        run.factors = 2;
        run.masking = "per_sample";
      },
      [](auto& run) { run.method = "lora"; }, [](auto& run) { run.method = "linear_class"; }};
  for (const BaseModel& base : {tiny_base(), tiny_autoregressive_base()}) {
    start_with(base);
    for (const auto& set : ways) {
      run_ = tiny_run(base_);
      set(run_);
      const Tuned alone = tune_with_gang(1);
      for (const int size : {2, 4}) {
        const Tuned shared = tune_with_gang(size);
        EXPECT_TRUE(same_bits(alone.trained, shared.trained)) << size << " ranks";
        EXPECT_EQ(alone.losses, shared.losses) << size << " ranks";
      }
    }
  }
}

TEST_F(Tuning, LeavesOutInstancesAsOftenAsToldAndNamesTheRightOnesOtherwise) {
  run_.conditions = "both";
  run_.instance_dropout = 0.25;
  const auto own = adapter();
  std::int64_t left_out = 0, all = 0;
  for (std::int64_t step = 0; step < 100; ++step) {
    const TuningBatch batch = make_batch(run_, tokens_, *own, step, 0, run_.batch);
    for (std::int64_t row = 0; row < run_.batch; ++row, ++all) {
      const auto instance = batch.identifiers.instances[row].item<std::int64_t>();
      if (instance < 0) {
        ++left_out;
        continue;
      }
      EXPECT_EQ(tokens_.labels[instance].item<std::int64_t>(),
                batch.identifiers.classes[row].item<std::int64_t>());
      const Tensor views = tokens_.ids[instance][0];
      EXPECT_TRUE((views == batch.targets[row]).all(1).any().item<bool>());
    }
  }
  EXPECT_NEAR(static_cast<double>(left_out) / static_cast<double>(all), 0.25, 0.05);
}

TEST_F(Tuning, NamesTheMaskedTokensOfEachRow) {
  run_.masking = "per_sample";
  const auto own = adapter();
  const TuningBatch batch = make_batch(run_, tokens_, *own, 3, 0, run_.batch);
  const Tensor masked = batch.ids == -1;
  EXPECT_EQ(batch.positions.size(1), masked.sum(1).max().item<std::int64_t>());
  for (std::int64_t row = 0; row < run_.batch; ++row) {
    const Tensor named = batch.positions[row].masked_select(batch.weights[row] == 1);
    EXPECT_TRUE(torch::equal(named, masked[row].nonzero().flatten()));
    EXPECT_TRUE(torch::equal(batch.ids[row].masked_select(masked[row].logical_not()),
                             batch.targets[row].masked_select(masked[row].logical_not())));
  }
}

TEST_F(Tuning, TakesPromptsOfOneTo256Tokens) {
  LocalCommunicator alone;
  for (const BaseModel& base : {tiny_base(), tiny_autoregressive_base()}) {
    start_with(base);
    for (const int length : {1, 256}) {
      run_.prompt_length = length;
      const auto own = adapter();
      TuningState state{0, init_adamw(own->trained())};
      steps(*own, alone, state, 2);
      EXPECT_NE(state.losses[0], state.losses[1]);
      const Subjects subjects{torch::tensor({3, 1})};
      EXPECT_EQ(own->sample_tokens(run_, subjects, 0).sizes(),
                at::IntArrayRef({2, base_.transformer.tokens()}));
    }
  }
}

TEST_F(Tuning, TrainsNothingOfAFrozenBase) {
  for (const char* method : {"prompt", "linear_class", "lora"}) {
    run_.method = method;
    const ParameterMap before = trainable_copy(base_.transformer.weights);
    LocalCommunicator alone;
    const auto own = adapter();
    TuningState state{0, init_adamw(own->trained())};
    steps(*own, alone, state, 2);
    EXPECT_TRUE(same_bits(before, base_.transformer.weights)) << method;
    for (const auto& [name, tensor] : base_.transformer.weights) {
      EXPECT_FALSE(tensor.requires_grad()) << name;
      EXPECT_FALSE(tensor.grad().defined()) << name;
    }
    for (const auto& [name, tensor] : own->trained())
      EXPECT_GT((tensor - adapter()->trained().at(name)).abs().max().item<double>(), 0) << name;
  }
}

TEST_F(Tuning, LowersTheLossOnItsOwnTrainingSet) {
  run_.method = "finetune";
  run_.learning_rate = 0.02;
  run_.steps = 60;
  const Tuned tuned = tune_with_gang(1);
  const auto mean = [](auto first, auto last) {
    return std::accumulate(first, last, 0.0) / static_cast<double>(last - first);
  };
  EXPECT_LT(mean(tuned.losses.end() - 10, tuned.losses.end()),
            mean(tuned.losses.begin(), tuned.losses.begin() + 10));
}

TEST_F(Tuning, ResumesWithTheSameBits) {
  const Tuned straight = tune_with_gang(1);
  const experiments::RunId id = experiments::run_id(run_);
  const auto folder = folder_.path() / "runs" / id.text();
  LocalCommunicator alone;
  {
    const auto first = adapter();
    TuningState state{0, init_adamw(first->trained())};
    steps(*first, alone, state, 3);
    std::filesystem::create_directories(folder / "attempt-1");
    write_checkpoint(folder / "attempt-1", id, first->trained(), state);
  }
  const auto second = adapter();
  TuningState state;
  ASSERT_TRUE(resume(folder, id, second->trained(), state));
  EXPECT_EQ(state.step, 3);
  steps(*second, alone, state, run_.steps);
  EXPECT_TRUE(same_bits(straight.trained, second->trained()));
  EXPECT_EQ(straight.losses, state.losses);
}

TEST_F(Tuning, FallsBackToTheCheckpointBeforeADamagedOne) {
  const experiments::RunId id = experiments::run_id(run_);
  const auto folder = folder_.path() / "runs" / id.text();
  std::filesystem::create_directories(folder / "attempt-1");
  LocalCommunicator alone;
  const auto first = adapter();
  TuningState state{0, init_adamw(first->trained())};
  for (const std::int64_t step : {2, 4}) {
    steps(*first, alone, state, step);
    write_checkpoint(folder / "attempt-1", id, first->trained(), state);
  }
  damage(folder / "attempt-1" / "checkpoint-4.h5");
  const auto second = adapter();
  TuningState found;
  const auto file = resume(folder, id, second->trained(), found);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->filename(), "checkpoint-2.h5");
  EXPECT_EQ(found.step, 2);
}

TEST_F(Tuning, GoesOnFromNoCheckpointOfAFinishedAttempt) {
  const experiments::RunId id = experiments::run_id(run_);
  const auto folder = folder_.path() / "runs" / id.text();
  LocalCommunicator alone;
  const auto first = adapter();
  TuningState state{0, init_adamw(first->trained())};
  steps(*first, alone, state, 2);
  for (const int attempt : {1, 2}) {
    const auto own = experiments::attempt_dir(folder_.path(), id, attempt);
    std::filesystem::create_directories(own);
    write_checkpoint(own, id, first->trained(), state);
  }
  experiments::AttemptRecord finished;
  finished.run_id = id.text();
  finished.attempt = 2;
  finished.status = "done";
  finished.result = experiments::ResultRecord{};
  experiments::write_attempt(experiments::attempt_dir(folder_.path(), id, 2), finished);
  const auto second = adapter();
  TuningState found;
  EXPECT_FALSE(resume(folder, id, second->trained(), found));
  // A rerun that was cut off goes on from its own.
  const auto third = experiments::attempt_dir(folder_.path(), id, 3);
  std::filesystem::create_directories(third);
  write_checkpoint(third, id, first->trained(), state);
  EXPECT_EQ(resume(folder, id, second->trained(), found), third / "checkpoint-2.h5");
}

TEST_F(Tuning, KeepsTheLastTwoCheckpoints) {
  const experiments::RunId id = experiments::run_id(run_);
  LocalCommunicator alone;
  const auto own = adapter();
  TuningState state{0, init_adamw(own->trained())};
  for (const std::int64_t step : {1, 2, 3}) {
    steps(*own, alone, state, step);
    write_checkpoint(folder_.path(), id, own->trained(), state);
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "checkpoint-1.h5"));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "checkpoint-2.h5"));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "checkpoint-3.h5"));
}

TEST_F(Tuning, RefusesTheCheckpointOfAnotherRun) {
  LocalCommunicator alone;
  const auto own = adapter();
  TuningState state{0, init_adamw(own->trained())};
  steps(*own, alone, state, 1);
  write_checkpoint(folder_.path(), experiments::run_id(run_), own->trained(), state);
  experiments::RunConfig other = run_;
  other.seed = 1;
  EXPECT_THROW(read_checkpoint(folder_.path() / "checkpoint-1.h5", experiments::run_id(other),
                               own->trained(), state),
               cluster::Error);
}

TEST_F(Tuning, MakesATornTokenCacheAgain) {
  const auto cache = folder_.path() / "cache";
  for (const auto& entry : std::filesystem::directory_iterator(cache)) {
    if (entry.path().extension() != ".h5") continue;
    std::filesystem::permissions(entry.path(), std::filesystem::perms::owner_all);
    damage(entry.path());
  }
  bool encoded = false;
  const TokenSet again = load_tokens(run_, base_, data(), [&](auto, auto) { encoded = true; });
  EXPECT_TRUE(encoded);
  EXPECT_TRUE(torch::equal(again.ids, tokens_.ids));
}

TEST_F(Tuning, ReadsTokensFromTheCache) {
  bool encoded = false;
  const TokenSet again = load_tokens(run_, base_, data(), [&](auto, auto) { encoded = true; });
  EXPECT_FALSE(encoded);
  EXPECT_TRUE(torch::equal(again.ids, tokens_.ids));
}

TEST_F(Tuning, EveryMethodChoosesTheSameImages) {
  experiments::RunConfig scratch = run_;
  scratch.method = "scratch";
  const TokenSet other = load_tokens(scratch, base_, data("other-cache"), [](auto, auto) {});
  EXPECT_TRUE(torch::equal(other.ids, tokens_.ids));
  EXPECT_TRUE(torch::equal(other.labels, tokens_.labels));
}

TEST_F(Tuning, DrawsTheReleasedMaskRateOnceAStepAndPerSampleForEachRow) {
  const auto own = adapter();
  const auto masked = [&](const std::string& masking) {
    experiments::RunConfig run = run_;
    run.masking = masking;
    return make_batch(run, tokens_, *own, 3, 0, run.batch).weights.sum(1);
  };
  const Tensor released = masked("released"), per_sample = masked("per_sample");
  EXPECT_TRUE((released == released[0]).all().item<bool>());
  EXPECT_FALSE((per_sample == per_sample[0]).all().item<bool>());
}

}  // namespace
}  // namespace marquee::workers
