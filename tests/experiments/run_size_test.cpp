#include "experiments/run_size.h"

#include <map>

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::experiments {
namespace {

BaseManifest shipped_base() {
  return load_base_manifest(std::filesystem::path(MARQUEE_SOURCE_DIR) / "assets", "mini");
}

RunConfig config(const std::string& method) {
  RunConfig run;
  run.task = "eurosat";  // 10 classes
  run.shots = "5";
  run.method = method;
  run.prompt_length = 8;
  return run;
}

RunSize size_of(const std::string& method) {
  return size_of_run(config(method), shipped_base(), {50, 5400});
}

TEST(RunSize, CountsWhatAMethodTrains) {
  // (C + S + 2) * D as in workers/models/prompt_generator.h; the whole transformer with 10 classes
  // for 102.
  EXPECT_EQ(size_of("prompt").trained_numbers, (10 + 8 + 2) * 192);
  EXPECT_EQ(size_of("finetune").trained_numbers, 2936999 + (10 - 102) * 193);
  EXPECT_EQ(size_of("scratch").trained_numbers, size_of("finetune").trained_numbers);
  EXPECT_EQ(size_of("linear_class").trained_numbers, 10 * 192);
  // 6 layers, 4 projections, 2 factors of rank 8.
  EXPECT_EQ(size_of("lora").trained_numbers, 10 * 192 + 6 * 4 * 2 * 192 * 8);
  EXPECT_EQ(size_of("none").trained_numbers, 0);
  EXPECT_EQ(size_of("oracle_real").trained_numbers, 0);
}

// The published table for the additive generator, and the formulas of the other kinds.
TEST(PromptNumbers, AreThoseOfTheFormulas) {
  constexpr std::int64_t kWidth = 768;
  RunConfig run = config("prompt");
  const auto numbers = [&](std::int64_t classes, std::int64_t instances = 0) {
    return prompt_numbers(run, kWidth, classes, instances);
  };
  for (const auto& [length, expected] : std::map<int, std::int64_t>{
           {1, 79104}, {16, 90624}, {32, 102912}, {128, 176640}, {256, 274944}}) {
    run.prompt_length = length;
    EXPECT_EQ(numbers(100), expected) << length;
  }
  run.prompt_length = 32;
  run.hidden_mapping = true;
  EXPECT_EQ(numbers(100), 102912 + 590592);
  run.hidden_mapping = false;
  run.prompt_kind = "factorised";
  run.factors = 4;
  EXPECT_EQ(numbers(100), 100 * 4 * kWidth + 32 * 4 + 32 * kWidth + 2 * kWidth);
  run.conditions = "both";
  EXPECT_EQ(numbers(100, 500),
            100 * 4 * kWidth + 500 * 4 * kWidth + 32 * 4 + 32 * kWidth + 2 * kWidth);
  run.conditions = "instance";
  EXPECT_EQ(numbers(100, 500), 4 * kWidth + 500 * 4 * kWidth + 32 * 4 + 32 * kWidth + 2 * kWidth);
  run.prompt_kind = "free";
  run.conditions = "class";
  EXPECT_EQ(numbers(100, 500), 100 * 32 * kWidth + 2 * kWidth);
  run.conditions = "both";
  EXPECT_EQ(numbers(100, 500), 100 * 32 * kWidth + 500 * kWidth + 2 * kWidth);
  run.conditions = "none";
  EXPECT_EQ(numbers(100, 500), 32 * kWidth + 2 * kWidth);
}

TEST(RunSize, GivesACheckpointThreeTensorsANumber) {
  const RunSize finetune = size_of("finetune");
  EXPECT_GE(finetune.checkpoint_bytes, 12 * finetune.trained_numbers);
  EXPECT_LT(finetune.checkpoint_bytes, 13 * finetune.trained_numbers);
  EXPECT_EQ(size_of("none").checkpoint_bytes, 0);
}

TEST(RunSize, GrowsWithSamplesImagesAndMethod) {
  RunConfig many = config("prompt");
  many.samples *= 10;
  EXPECT_GT(size_of_run(many, shipped_base(), {50, 5400}).result_bytes,
            size_of("prompt").result_bytes);
  EXPECT_GT(size_of_run(config("prompt"), shipped_base(), {5000, 5400}).token_cache_bytes,
            size_of("prompt").token_cache_bytes);
  EXPECT_GE(size_of("prompt").feature_cache_bytes, 5400 * 128 * 4);
  EXPECT_GT(size_of("finetune").memory_bytes, size_of("prompt").memory_bytes);
  RunConfig wide = config("finetune");
  wide.batch = 512;
  RunConfig lean = wide;
  lean.recompute_activations = true;
  EXPECT_LT(size_of_run(lean, shipped_base(), {50, 5400}).memory_bytes,
            size_of_run(wide, shipped_base(), {50, 5400}).memory_bytes);
  EXPECT_GT(size_of("prompt").memory_bytes, std::int64_t{300} << 20);
  EXPECT_LT(size_of("finetune").memory_bytes, std::int64_t{2} << 30);
}

TEST(RunSize, OfABaseWithoutSizesIsSmallButNoError) {
  EXPECT_GE(size_of_run(config("prompt"), {}, {}).result_bytes, 0);
}

TEST(PretrainedOn, RefusesTheTaskInTheProvenance) {
  const BaseManifest base = shipped_base();
  EXPECT_NO_THROW(check_not_pretrained_on(base, "eurosat"));
  try {
    check_not_pretrained_on(base, "caltech101");
    FAIL() << "taken";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("pretrained"), std::string::npos);
  }
  BaseManifest several = base;
  several.provenance["task"] = {"svhn", "eurosat"};
  EXPECT_THROW(check_not_pretrained_on(several, "eurosat"), cluster::Error);
  EXPECT_NO_THROW(check_not_pretrained_on(several, "caltech101"));
  several.provenance = nullptr;
  EXPECT_NO_THROW(check_not_pretrained_on(several, "caltech101"));
}

}  // namespace
}  // namespace marquee::experiments
