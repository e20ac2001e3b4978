#include "workers/models/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::workers {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const ShapeMap kExpected{{"a/kernel", {2, 3}}, {"b", {4}}};

std::string check_refusal(const ParameterMap& parameters) {
  try {
    check_parameters(parameters, kExpected, "file.x");
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    return error.what();
  }
  return "accepted";
}

TEST(Parameters, AcceptsExactlyTheExpectedTensors) {
  EXPECT_EQ(check_refusal({{"a/kernel", torch::zeros({2, 3})}, {"b", torch::zeros({4})}}),
            "accepted");
}

TEST(Parameters, NamesAMissingTensor) {
  EXPECT_THAT(check_refusal({{"a/kernel", torch::zeros({2, 3})}}),
              AllOf(HasSubstr("file.x"), HasSubstr("'b'"), HasSubstr("missing")));
}

TEST(Parameters, NamesATensorOfAnotherShapeAndBothShapes) {
  EXPECT_THAT(check_refusal({{"a/kernel", torch::zeros({3, 2})}, {"b", torch::zeros({4})}}),
              AllOf(HasSubstr("'a/kernel'"), HasSubstr("[3, 2]"), HasSubstr("[2, 3]")));
}

TEST(Parameters, NamesATensorThatIsNotOfTheNetwork) {
  EXPECT_THAT(
      check_refusal(
          {{"a/kernel", torch::zeros({2, 3})}, {"b", torch::zeros({4})}, {"c", torch::zeros({1})}}),
      HasSubstr("'c'"));
}

TEST(Parameters, CountsTheNumbersOfAllTensors) {
  EXPECT_EQ(count_parameters({{"a", torch::zeros({2, 3})}, {"b", torch::zeros({4})}}), 10);
}

TEST(Parameters, TrainableCopySharesNoMemory) {
  const ParameterMap source{{"a", torch::zeros({2})}};
  const ParameterMap copy = trainable_copy(source);
  EXPECT_TRUE(copy.at("a").requires_grad());
  const torch::NoGradGuard no_grad;
  Tensor leaf = copy.at("a");
  leaf.fill_(1);
  EXPECT_EQ(source.at("a").sum().item<float>(), 0.0F);
}

TEST(Parameters, ConversionLeavesIntegersAlone) {
  const ParameterMap converted_map = converted(
      {{"a", torch::ones({2})}, {"n", torch::ones({2}, torch::kInt64)}}, torch::kBFloat16);
  EXPECT_EQ(converted_map.at("a").scalar_type(), torch::kBFloat16);
  EXPECT_EQ(converted_map.at("n").scalar_type(), torch::kInt64);
}

}  // namespace
}  // namespace marquee::workers
