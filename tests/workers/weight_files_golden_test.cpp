// The reference checkpoints, value for value. Names and sizes come from the files.
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fixtures/formula_tensors.h"
#include "tests/fixtures/reference_file.h"
#include "tests/workers/refusal.h"
#include "workers/mapped_tensor.h"
#include "workers/weight_files/weight_file.h"

namespace marquee::workers {
namespace {

using fixtures::expect_equal;
using fixtures::ReferenceFile;
using testing::AllOf;
using testing::HasSubstr;

WeightFile checkpoint(const std::string& relative) {
  return open_weight_file(reference_folder() / relative);
}

// The formula tensors of a reference file in the layout of its checkpoints; those of variants
// ("S4:...") are left out. The attribute is an object or a list.
ParameterMap formula_weights(const std::string& relative) {
  const ReferenceFile reference(relative);
  const auto list = nlohmann::json::parse(reference.file().string_attribute("", "weights"));
  ParameterMap weights;
  for (const auto& [key, entry] : list.items()) {
    if (key.find(':') != std::string::npos) continue;
    const auto name = entry.at("name").get<std::string>();
    weights[name] =
        fixtures::formula_scaled(reference.seed(), name, entry.at("shape").get<fixtures::Shape>(),
                                 entry.at("mean").get<double>(), entry.at("std").get<double>())
            .to(torch::kFloat32);
  }
  return weights;
}

// Every tensor of the checkpoint is the formula's, or the causal mask, or passed over; every
// formula tensor below `prefix` is there. `prefix` is what the formula's names have and the file's
// lack.
void expect_formula(const std::string& relative, const std::string& reference,
                    const std::string& file_prefix, const std::string& prefix) {
  const WeightFile file = checkpoint(relative);
  const ParameterMap formula = formula_weights(reference);
  std::size_t compared = 0, expected = 0;
  for (const auto& [name, stored] : file.tensors) {
    const Tensor value = mapped_tensor(stored, file.file);
    if (name.ends_with(".attn.mask")) {
      expect_equal(value, torch::ones_like(value).tril(), name);
    } else if (!name.starts_with("loss.")) {
      ASSERT_TRUE(name.starts_with(file_prefix)) << name;
      const auto found = formula.find(prefix + name.substr(file_prefix.size()));
      ASSERT_NE(found, formula.end()) << name;
      EXPECT_EQ(stored.type, ElementType::f32);
      expect_equal(value, found->second, name);
      ++compared;
    }
  }
  for (const auto& [name, value] : formula) expected += name.starts_with(prefix) ? 1 : 0;
  EXPECT_EQ(compared, expected);
}

struct Case {
  const char *checkpoint, *reference, *file_prefix, *prefix;
};

class Checkpoint : public testing::TestWithParam<Case> {};

TEST_P(Checkpoint, HoldsTheFormulaWeights) {
  const Case& files = GetParam();
  MARQUEE_REQUIRE_REFERENCE(files.checkpoint);
  MARQUEE_REQUIRE_REFERENCE(files.reference);
  expect_formula(files.checkpoint, files.reference, files.file_prefix, files.prefix);
}

INSTANTIATE_TEST_SUITE_P(
    WeightFilesGolden, Checkpoint,
    testing::Values(
        Case{"models/checkpoints/tiny_transformer.msgpack", "models/tiny_transformer.h5", "params/",
             ""},
        Case{"models/checkpoints/tiny_tokenizer.msgpack", "models/tiny_vqgan.h5", "params/", ""},
        Case{"models_ar/checkpoints/tiny_net2net.safetensors", "models_ar/tiny_net2net.h5", "", ""},
        Case{"models_ar/checkpoints/tiny_transformer_only.safetensors", "models_ar/tiny_net2net.h5",
             "transformer.", "transformer."},
        Case{"models_ar/checkpoints/tiny_vqgan_with_loss.safetensors", "models_ar/tiny_net2net.h5",
             "", "first_stage_model."}),
    [](const auto& chosen) {
      const std::string stem = std::filesystem::path(chosen.param.checkpoint).stem();
      std::string name;
      for (const char c : stem) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
      return name;
    });

// All files of a folder whose names begin so.
std::vector<std::string> checkpoints(const std::string& folder, const std::string& beginning) {
  std::vector<std::string> found;
  const auto path = reference_folder() / folder;
  if (!std::filesystem::is_directory(path)) return found;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.path().filename().string().starts_with(beginning))
      found.push_back(folder + "/" + entry.path().filename().string());
  }
  return found;
}

class CheckpointFolder : public testing::TestWithParam<const char*> {};

TEST_P(CheckpointFolder, HoldsFilesThatLoad) {
  MARQUEE_REQUIRE_REFERENCE(GetParam());
  for (const std::string& relative : checkpoints(GetParam(), "")) {
    if (relative.find("bad_truncated") != std::string::npos) continue;
    const WeightFile file = checkpoint(relative);
    EXPECT_FALSE(file.tensors.empty()) << relative;
    EXPECT_TRUE(file.unsupported.empty()) << relative;
    EXPECT_EQ(file.format, relative.ends_with(".msgpack") ? "flax msgpack" : "safetensors");
  }
}

INSTANTIATE_TEST_SUITE_P(
    WeightFilesGolden, CheckpointFolder,
    testing::Values("models/checkpoints", "models_ar/checkpoints"), [](const auto& chosen) {
      return std::string(chosen.param).substr(0, std::string(chosen.param).find('/'));
    });

TEST(WeightFilesGolden, ATruncatedCheckpointIsRefused) {
  const char* relative = "models/checkpoints/bad_truncated.msgpack";
  MARQUEE_REQUIRE_REFERENCE(relative);
  EXPECT_THAT(refusal_of([&] { checkpoint(relative); }),
              AllOf(HasSubstr(relative), HasSubstr("is cut off inside tensor 'params/")));
}

// Whatever the trainer of prompts stores: parameters and both moments after the last step.
TEST(WeightFilesGolden, PromptCheckpointsHoldTheLastStep) {
  const char* h5 = "models/tiny_transformer.h5";
  MARQUEE_REQUIRE_REFERENCE(h5);
  MARQUEE_REQUIRE_REFERENCE("models/checkpoints");
  const ReferenceFile reference(h5);
  const std::string beginning = "models/checkpoints/tiny_prompt_";
  for (const std::string& relative : checkpoints("models/checkpoints", "tiny_prompt_")) {
    const std::string length =
        relative.substr(beginning.size(), relative.find('.') - beginning.size());
    const std::string train = "train/" + length + "/";
    const WeightFile file = checkpoint(relative);
    std::size_t compared = 0;
    for (const auto& [name, stored] : file.tensors) {
      const Tensor value = mapped_tensor(stored, file.file);
      const auto below = [&](const std::string& prefix) {
        return name.starts_with(prefix) ? name.substr(prefix.size()) : std::string();
      };
      if (const std::string parameter = below("model_state/params/"); !parameter.empty()) {
        expect_equal(value, reference.read(train + "params/" + parameter)[-1], name);
        ++compared;
      }
      for (const char* moment : {"mu", "nu"}) {
        const std::string parameter =
            below("optimizer_state/0/" + std::string(moment) + "/params/");
        if (parameter.empty()) continue;
        expect_equal(value, reference.read(train + moment + "/" + parameter), name);
        ++compared;
      }
    }
    EXPECT_GE(compared, 9u) << relative;
    const Tensor step = mapped_tensor(file.tensor("step"), file.file);
    EXPECT_EQ(step.item<std::int64_t>(), reference.read(train + "loss").size(0)) << relative;
  }
}

}  // namespace
}  // namespace marquee::workers
