#include "tests/workers/finite_differences.h"

#include <gtest/gtest.h>

#include "workers/random.h"

namespace marquee::workers {
namespace {

constexpr double kStep = 1e-5, kTolerance = 1e-6;

void expect_derivative(const std::function<Tensor()>& loss, const std::function<void(double)>& move,
                       double expected, const std::string& what) {
  move(kStep);
  const double above = loss().item<double>();
  move(-2 * kStep);
  const double below = loss().item<double>();
  move(kStep);
  // The loss is about 3: its rounding leaves 1e-11 in the difference, its third derivative (tens,
  // for small tensors) a few 1e-10.
  EXPECT_NEAR((above - below) / (2 * kStep), expected, kTolerance * std::abs(expected) + 1e-9)
      << what;
}

}  // namespace

void expect_finite_differences(const std::function<Tensor()>& loss, ParameterMap& trained) {
  loss().backward();
  const torch::NoGradGuard no_grad;
  double together = 0;
  ParameterMap directions;
  std::uint64_t index = 0;
  for (auto& [name, leaf] : trained) {
    PhiloxStream stream(4, cluster::Purpose::init, 1, index++);
    const Tensor direction = normal_tensor(stream, leaf.sizes().vec()).to(torch::kFloat64);
    directions[name] = direction / direction.norm();
    ASSERT_TRUE(leaf.grad().defined()) << name;
    const double expected = (leaf.grad() * directions[name]).sum().item<double>();
    together += expected;
    const auto move = [&, &moved = leaf](double by) { moved.add_(directions[name], by); };
    expect_derivative(loss, move, expected, name);
  }
  const auto move_all = [&](double by) {
    for (auto& [name, leaf] : trained) leaf.add_(directions[name], by);
  };
  expect_derivative(loss, move_all, together, "all tensors");
}

}  // namespace marquee::workers
