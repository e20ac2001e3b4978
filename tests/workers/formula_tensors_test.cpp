#include "tests/fixtures/formula_tensors.h"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/fixtures/reference_file.h"

namespace marquee::fixtures {
namespace {

constexpr const char* kFile = "formula_tensors.json";

nlohmann::json check_values() {
  std::ifstream stream(reference_folder() / kFile);
  return nlohmann::json::parse(stream);
}

void expect_values(const Tensor& actual, const nlohmann::json& expected) {
  ASSERT_EQ(actual.numel(), static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_DOUBLE_EQ(actual[static_cast<std::int64_t>(i)].item<double>(), expected[i].get<double>())
        << "element " << i;
  }
}

TEST(FormulaTensors, UniformEqualsTheCheckValues) {
  MARQUEE_REQUIRE_REFERENCE(kFile);
  const nlohmann::json values = check_values();
  expect_values(formula_uniform(values.at("seed"), values.at("name").get<std::string>(), {4}),
                values.at("uniform"));
  expect_values(formula_uniform(values.at("seed2"), values.at("name2").get<std::string>(), {4}),
                values.at("uniform2"));
}

TEST(FormulaTensors, ScaledEqualsTheCheckValues) {
  MARQUEE_REQUIRE_REFERENCE(kFile);
  const nlohmann::json values = check_values();
  const Tensor scaled = formula_scaled(values.at("seed"), values.at("name").get<std::string>(),
                                       {2, 2}, /*mean=*/0.0, /*deviation=*/0.02);
  expect_values(scaled.reshape({-1}), values.at("scaled_mean0_std0.02"));
}

TEST(FormulaTensors, ScaledHasTheMeanAndDeviationAskedFor) {
  const Tensor values = formula_scaled(7, "x", {100000}, 3.0, 0.5);
  EXPECT_NEAR(values.mean().item<double>(), 3.0, 0.01);
  EXPECT_NEAR(values.std().item<double>(), 0.5, 0.01);
}

TEST(FormulaTensors, IntegersCoverTheRangeBelowTheLimit) {
  const Tensor values = formula_integers(7, "x", {1000}, 5);
  EXPECT_EQ(values.scalar_type(), torch::kInt64);
  EXPECT_EQ(values.min().item<std::int64_t>(), 0);
  EXPECT_EQ(values.max().item<std::int64_t>(), 4);
}

}  // namespace
}  // namespace marquee::fixtures
