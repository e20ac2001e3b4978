// Every network output of inception.h5, and the keys, shapes and first values of the weights.
// Tolerances: the README beside it.
#include <gtest/gtest.h>

#include "tests/fixtures/formula_tensors.h"
#include "tests/fixtures/inception_weights.h"
#include "tests/fixtures/level_images.h"
#include "tests/fixtures/reference_file.h"
#include "tests/fixtures/reference_json.h"
#include "tests/fixtures/reference_log.h"
#include "workers/features/inception_input.h"
#include "workers/models/inception.h"
#include "workers/safetensors.h"

namespace marquee::workers {
namespace {

using fixtures::ReferenceFile;
using fixtures::ReferenceJson;

constexpr const char *kInception = "metrics/inception.h5", *kKeys = "metrics/inception_keys.json",
                     *kSample = "metrics/inception_sample.safetensors";

struct Tool {
  const char* group;
  InceptionInput input;
};
const Tool kTools[] = {
    {"clean_fid_clean", {ResizeRule::clean_fid_clean, InputRange::tensorflow}},
    {"pytorch_fid", {ResizeRule::torch_bilinear, InputRange::unit}},
    {"torch_fidelity", {ResizeRule::tf1_bilinear, InputRange::tensorflow}},
};

double tolerance(const std::string& output) {
  if (output == "2048") return 1e-4;
  return output.starts_with("logits") ? 2e-4 : 2e-5;
}

const Inception& network(std::uint64_t seed) {
  static std::map<std::uint64_t, std::unique_ptr<Inception>> made;
  auto& entry = made[seed];
  if (!entry) entry = std::make_unique<Inception>(fixtures::inception_weights(seed), "formula");
  return *entry;
}

TEST(InceptionGolden, FeaturesAndLogitsOfEverySizeAndTool) {
  MARQUEE_REQUIRE_REFERENCE(kInception);
  const torch::NoGradGuard no_gradients;
  const ReferenceFile reference(kInception);
  int compared = 0;
  for (const std::string& size : reference.file().children("")) {
    if (!reference.has(size + "/images")) continue;
    const auto images = fixtures::images_of(reference.read(size + "/images"));
    for (const Tool& tool : kTools) {
      const std::string at = size + "/" + tool.group;
      if (!reference.has(at)) continue;
      std::vector<std::string> wanted;
      for (const std::string& name : reference.file().children(at))
        if (!name.ends_with("_f64")) wanted.push_back(name);
      const InceptionOutputs outputs =
          network(reference.seed())(inception_input(images, tool.input), wanted);
      ASSERT_EQ(outputs.size(), wanted.size()) << at;
      for (const auto& [name, values] : outputs) {
        const std::string array = at + "/" + name;
        fixtures::expect_close(values, reference.read(array), tolerance(name), 0, array);
        if (reference.has(array + "_f64")) {
          fixtures::expect_close(values, reference.read(array + "_f64"), tolerance(name), 0,
                                 array + "_f64");
        }
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 0);
}

// 256 places of every stage, and mean, deviation and largest value of the whole.
TEST(InceptionGolden, EveryStage) {
  MARQUEE_REQUIRE_REFERENCE(kInception);
  const torch::NoGradGuard no_gradients;
  const ReferenceFile reference(kInception);
  int compared = 0;
  for (const std::string& size : reference.file().children("")) {
    const std::string at = size + "/stages_torch_fidelity_input/";
    if (!reference.has(at + "input_sample")) continue;
    const Tensor input = inception_input(fixtures::images_of(reference.read(size + "/images")),
                                         {ResizeRule::tf1_bilinear, InputRange::tensorflow});
    const Tensor sample = reference.read(at + "input_sample");
    // Every n-th number; n is not in the file, but only few give as many.
    const Tensor flat = input.flatten();
    bool equal = false;
    for (std::int64_t n = flat.numel() / (sample.numel() + 1);
         n * (sample.numel() - 1) < flat.numel(); ++n) {
      const Tensor some = flat.slice(0, 0, flat.numel(), n);
      equal |= some.numel() == sample.numel() && at::allclose(some, sample, 0, 1e-6);
    }
    EXPECT_TRUE(equal) << at << "input_sample";
    network(reference.seed())(input, {"2048"}, [&](const std::string& name, const Tensor& output) {
      if (!reference.has(at + name)) return;
      const Tensor values = output.contiguous().flatten();
      const auto number = [&](const char* key) {
        return reference.file().double_attribute(at + name, key);
      };
      const double largest = number("abs_max"), room = 2e-5 * std::max(1.0, largest);
      fixtures::expect_close(values.index_select(0, reference.read_ids(at + name + "_index")),
                             reference.read(at + name), room, 0, at + name);
      const Tensor wide = values.to(torch::kFloat64);
      EXPECT_NEAR(wide.mean().item<double>(), number("mean"), 1e-5) << name;
      EXPECT_NEAR(wide.std(false).item<double>(), number("std"), 1e-5) << name;
      EXPECT_NEAR(wide.abs().max().item<double>(), largest, room) << name;
      ++compared;
    });
  }
  if (compared == 0) GTEST_SKIP() << "no stages in " << kInception;
}

// The tensor that the formula of an entry of inception_keys.json gives.
Tensor formula_of(std::uint64_t seed, const ReferenceJson& entry) {
  const auto name = entry.at("formula_name").value().get<std::string>(),
             kind = entry.at("kind").value().get<std::string>();
  const auto shape = entry.at("shape").value().get<fixtures::Shape>();
  const auto number = [&](const char* key) { return entry.at(key).value().get<double>(); };
  if (kind == "scaled")
    return fixtures::formula_scaled(seed, name, shape, number("mean"), number("std"));
  if (kind == "uniform_plus") return fixtures::formula_uniform(seed, name, shape) + number("add");
  EXPECT_EQ(kind, "zero") << name;
  return torch::zeros(shape);
}

TEST(InceptionGolden, KeysShapesAndWeightsAreThoseOfTheFiles) {
  MARQUEE_REQUIRE_REFERENCE(kKeys);
  const ReferenceJson keys(kKeys);
  const auto seed = keys.at("seed").value().get<std::uint64_t>();
  const ShapeMap shapes = inception_shapes();
  const ParameterMap weights = fixtures::inception_weights(seed);
  std::int64_t all = 0, known = 0, parameters = 0;
  for (const ReferenceJson& entry : keys.at("table").elements()) {
    ++all;
    const auto key = entry.at("key").value().get<std::string>();
    const Tensor formula = formula_of(seed, entry).to(torch::kFloat32);
    if (entry.has("first")) {
      const auto first = entry.at("first").value().get<std::vector<float>>();
      fixtures::expect_equal(
          formula.flatten().narrow(0, 0, static_cast<std::int64_t>(first.size())),
          torch::tensor(first), key);
    }
    if (key.ends_with("num_batches_tracked")) {
      EXPECT_EQ(entry.at("dtype").value(), "int64") << key;
      continue;
    }
    EXPECT_EQ(entry.at("dtype").value(), "float32") << key;
    ASSERT_TRUE(shapes.contains(key)) << key;
    EXPECT_EQ(nlohmann::json(shapes.at(key)), entry.at("shape").value()) << key;
    fixtures::expect_equal(weights.at(key), formula, key);
    ++known;
    parameters += formula.numel();
  }
  EXPECT_EQ(known, static_cast<std::int64_t>(shapes.size()));
  for (const auto& [key, count] : {std::pair{"tensors", all},
                                   {"tensors_without_num_batches_tracked", known},
                                   {"parameters", parameters}})
    if (keys.has(key)) {
      EXPECT_EQ(keys.at(key).value().get<std::int64_t>(), count) << key;
    }
}

TEST(InceptionGolden, StoredTensorsAreTheFormulas) {
  MARQUEE_REQUIRE_REFERENCE(kSample);
  MARQUEE_REQUIRE_REFERENCE(kKeys);
  const ParameterMap weights =
      fixtures::inception_weights(ReferenceJson(kKeys).at("seed").value().get<std::uint64_t>());
  for (const auto& [name, stored] : read_safetensors(reference_folder() / kSample)) {
    fixtures::note_entry(kSample, name);
    fixtures::note_read(kSample, name);
    if (name.ends_with(".num_batches_tracked")) {
      EXPECT_TRUE(torch::equal(stored, torch::zeros({}, torch::kInt64))) << name;
    } else {
      ASSERT_TRUE(weights.contains(name)) << name;
      fixtures::expect_equal(stored, weights.at(name), name);
    }
  }
}

// bfloat16 is off by default; its error is stated in docs/metrics.md.
TEST(InceptionGolden, Bfloat16StaysNearAndDoubleAgrees) {
  MARQUEE_REQUIRE_REFERENCE(kInception);
  const torch::NoGradGuard no_gradients;
  const ReferenceFile reference(kInception);
  const std::string at = "size_299/torch_fidelity/2048";
  if (!reference.has(at + "_f64")) GTEST_SKIP() << "no " << at << "_f64";
  const Tensor input = inception_input(fixtures::images_of(reference.read("size_299/images")),
                                       {ResizeRule::tf1_bilinear, InputRange::tensorflow});
  const ParameterMap weights = fixtures::inception_weights(reference.seed());
  const Tensor expected = reference.read(at + "_f64").to(torch::kFloat64);
  const Inception narrow(weights, "formula", torch::kBFloat16),
      wide(weights, "formula", torch::kFloat64);
  const Tensor bf16 = narrow(input, {"2048"}).at("2048");
  EXPECT_EQ(bf16.scalar_type(), torch::kFloat32);
  const double error = (bf16 - expected).norm().item<double>() / expected.norm().item<double>();
  std::printf("bfloat16: relative error of the features %.4f\n", error);
  EXPECT_LT(error, 0.03);
  fixtures::expect_close(wide(input, {"2048"}).at("2048"), expected, 1e-5, 1e-6, at + "_f64");
}

}  // namespace
}  // namespace marquee::workers
