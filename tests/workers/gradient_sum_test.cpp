// Gradients of a step have the same bits in one bucket and in many, sent while the backward pass
// goes on or afterwards.
#include "workers/tuning/gradient_sum.h"

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::workers {
namespace {

constexpr std::int64_t kWidth = 8, kLayers = 6, kMicroBatches = 4;
constexpr std::int64_t kLayerBytes = kWidth * kWidth * 4;

// A gang of one whose sums overlap, and which says when they were asked for.
class Watched : public Communicator {
 public:
  explicit Watched(const ParameterMap& leaves) : leaves_(leaves) {}
  int rank() const override { return 0; }
  int size() const override { return 1; }
  bool overlaps() const override { return true; }
  Tensor sum(const Tensor& mine) override {
    ++sums;
    sizes.push_back(mine.numel());
    // Of the layers that the backward pass comes to last nothing is known yet.
    early += leaves_.at("0").grad().defined() || first_seen_ ? 0 : 1;
    return mine.clone();
  }
  void first_layer_seen() { first_seen_ = true; }

  int sums = 0, early = 0;
  std::vector<std::int64_t> sizes;

 private:
  const ParameterMap& leaves_;
  bool first_seen_ = false;
};

class GradientSumTest : public testing::Test {
 protected:
  GradientSumTest() {
    torch::Generator own = at::detail::createCPUGenerator(3);
    for (std::int64_t layer = 0; layer < kLayers; ++layer)
      leaves_[std::to_string(layer)] = torch::randn({kWidth, kWidth}, own).requires_grad_();
    leaves_["unused"] = torch::randn({3}, own).requires_grad_();
    for (std::int64_t i = 0; i < kMicroBatches; ++i)
      inputs_.push_back(torch::randn({5, kWidth}, own));
  }
  Tensor loss(std::int64_t micro, Watched* watched = nullptr) const {
    Tensor x = inputs_[static_cast<std::size_t>(micro)];
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
      x = torch::tanh(x.matmul(leaves_.at(std::to_string(layer))));
      if (layer == 0 && watched != nullptr)
        x.register_hook([watched](const Tensor&) { watched->first_layer_seen(); });
    }
    return x.square().sum();
  }
  GradientSum::Result step(Communicator& gang, std::vector<std::string>& order,
                           std::int64_t bucket_bytes, Watched* watched = nullptr) {
    GradientSum sum(leaves_, kMicroBatches, gang, order, bucket_bytes);
    for (std::int64_t micro = 0; micro < kMicroBatches; ++micro)
      sum.add(loss(micro, micro == kMicroBatches - 1 ? watched : nullptr));
    return sum.finish();
  }
  static void expect_equal(const GradientSum::Result& a, const GradientSum::Result& b) {
    EXPECT_TRUE(a.loss.equal(b.loss));
    ASSERT_EQ(a.gradients.size(), b.gradients.size());
    for (const auto& [name, gradient] : a.gradients)
      EXPECT_TRUE(gradient.equal(b.gradients.at(name))) << name;
  }

  ParameterMap leaves_;
  std::vector<Tensor> inputs_;
};

TEST_F(GradientSumTest, BucketsHaveTheBitsOfAll) {
  LocalCommunicator alone;
  std::vector<std::string> none;
  const GradientSum::Result expected = step(alone, none, 1);
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(expected.gradients.at("unused").equal(torch::zeros({3})));
  for (const std::int64_t bytes : {std::int64_t{1}, 2 * kLayerBytes, 1000 * kLayerBytes}) {
    std::vector<std::string> order;
    Watched watched(leaves_);
    expect_equal(step(watched, order, bytes), expected);  // learns the order
    ASSERT_EQ(order.size(), leaves_.size());
    EXPECT_EQ(order.front(), std::to_string(kLayers - 1));
    EXPECT_EQ(order.back(), "unused");
    const std::vector<std::string> learnt = order;
    expect_equal(step(watched, order, bytes), expected);
    EXPECT_EQ(order, learnt);
    for (const auto& [name, leaf] : leaves_) EXPECT_FALSE(leaf.grad().defined()) << name;
  }
}

TEST_F(GradientSumTest, SendsWhileTheBackwardPassGoesOn) {
  std::vector<std::string> order;
  {
    Watched learning(leaves_);
    step(learning, order, kLayerBytes);
  }
  Watched watched(leaves_);
  step(watched, order, kLayerBytes, &watched);
  EXPECT_EQ(watched.sums, kLayers + 1);
  EXPECT_GE(watched.early, kLayers - 2);
  EXPECT_EQ(watched.sizes.front(), kWidth * kWidth);
  EXPECT_EQ(watched.sizes.back(), 3 + 1);  // with the loss
}

// Another rank that has come to its gradients in another order.
class OtherOrder : public Watched {
 public:
  using Watched::Watched;
  int size() const override { return 2; }
  Tensor sum(const Tensor& mine) override { return mine + mine.flip(0); }
};

TEST_F(GradientSumTest, RanksWithOtherOrdersAreADefect) {
  OtherOrder gang(leaves_);
  std::vector<std::string> order;
  EXPECT_THROW(step(gang, order, 1), cluster::Error);
}

TEST_F(GradientSumTest, CountsMicroBatches) {
  LocalCommunicator alone;
  std::vector<std::string> order;
  GradientSum sum(leaves_, 1, alone, order);
  EXPECT_THROW(sum.finish(), cluster::Error);
  sum.add(loss(0));
  EXPECT_THROW(sum.add(loss(1)), cluster::Error);
}

}  // namespace
}  // namespace marquee::workers
