// Pretraining on a drawn task with a recipe of seconds: it learns, and resumes with the same bits.
#include <fstream>
#include <numeric>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "tests/workers/tiny_base.h"
#include "workers/pretrain/feature_stage.h"
#include "workers/pretrain/image_pool.h"
#include "workers/pretrain/tokenizer_stage.h"
#include "workers/pretrain/transformer_stage.h"

namespace marquee::workers {
namespace {

PretrainRecipe tiny_recipe() {
  const BaseModel base = tiny_base();
  PretrainRecipe recipe;
  recipe.seed = 3;
  recipe.checkpoint_interval = 4;
  recipe.tokenizer = std::get<TokenizerConfig>(base.tokenizer.config());
  recipe.transformer = base.transformer.config;
  recipe.features = base.feature_config;
  recipe.features.classes = 8;
  recipe.tokenizer_stage = {12, 4, 2e-3, 2, 0, 0.7};
  recipe.transformer_stage = {12, 8, 2e-3, 2, 0, 0.7};
  recipe.features_stage = {12, 8, 2e-3, 2, 0, 0.7};
  recipe.views = 1;
  return recipe;
}

class Pretraining : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    at::set_num_threads(1);
    pool_ = new ImagePool("drawn/shapes_count", {"val"}, 0, {});
  }
  static void TearDownTestSuite() { delete pool_; }

  // Runs the stage until it has saved its state a second time, then stops as a crash would.
  template <typename Stage>
  static void expect_resume_keeps_the_bits(Stage stage) {
    const TemporaryFolder folder;
    std::vector<double> straight_losses, losses;
    const ParameterMap straight = stage(folder.path() / "a.h5", straight_losses, 0);
    EXPECT_THROW(stage(folder.path() / "b.h5", losses, 9), std::runtime_error);
    ASSERT_TRUE(std::filesystem::exists(folder.path() / "b.h5"));
    losses.clear();
    const ParameterMap resumed = stage(folder.path() / "b.h5", losses, 0);
    EXPECT_TRUE(same_bits(straight, resumed));
    EXPECT_EQ(straight_losses, losses);
  }
  static ImagePool* pool_;
};
ImagePool* Pretraining::pool_ = nullptr;

TEST_F(Pretraining, TrainStageResumesWithTheSameBits) {
  // A stage whose loss depends on step and parameters; `crash_at` stands for a killed process.
  expect_resume_keeps_the_bits(
      [](const std::filesystem::path& file, std::vector<double>& losses, std::int64_t crash_at) {
        StageState state;
        state.parameters = {{"w", torch::linspace(-1, 1, 7).requires_grad_()}};
        state.buffers = {{"seen", torch::zeros({1})}};
        const StageOptions options{12, 1, 0.1, 2, 0.01, 1};
        train_stage(
            "test", options, kPretrainAdamW, 4, file, "identity", state,
            [&](std::int64_t step, StageState& current) {
              if (crash_at > 0 && step == crash_at) throw std::runtime_error("killed");
              current.buffers.at("seen") += static_cast<float>(step);
              return (current.parameters.at("w") * current.buffers.at("seen")).square().mean();
            },
            [](const std::string&) {});
        losses = state.losses;
        return ParameterMap{{"w", state.parameters.at("w").detach()},
                            {"seen", state.buffers.at("seen")}};
      });
}

TEST_F(Pretraining, RefusesTheStateOfAnotherRecipe) {
  const TemporaryFolder folder;
  PretrainRecipe recipe = tiny_recipe();
  recipe.features_stage.steps = 4;
  std::vector<double> losses;
  const auto file = folder.path() / "features.h5";
  pretrain_features(recipe, *pool_, file, "one", losses, [](const std::string&) {});
  EXPECT_THROW(pretrain_features(recipe, *pool_, file, "two", losses, [](const std::string&) {}),
               cluster::Error);
}

TEST_F(Pretraining, TokenizerLearnsToReconstruct) {
  const TemporaryFolder folder;
  PretrainRecipe recipe = tiny_recipe();
  recipe.tokenizer_stage.steps = 80;
  std::vector<double> losses;
  pretrain_tokenizer(recipe, *pool_, folder.path() / "t.h5", "x", losses,
                     [](const std::string&) {});
  ASSERT_EQ(losses.size(), 80u);
  const auto mean = [](auto first, auto last) { return std::accumulate(first, last, 0.0) / 10; };
  EXPECT_LT(mean(losses.end() - 10, losses.end()), 0.7 * mean(losses.begin(), losses.begin() + 10));
}

TEST_F(Pretraining, TransformerLearnsItsTokens) {
  const TemporaryFolder folder;
  PretrainRecipe recipe = tiny_recipe();
  recipe.transformer_stage.steps = 60;
  recipe.transformer_stage.learning_rate = 5e-3;
  std::vector<double> losses;
  pretrain_transformer(recipe, *pool_, tiny_base().tokenizer, folder.path() / "m.h5", "x", losses,
                       [](const std::string&) {});
  const auto mean = [](auto first, auto last) { return std::accumulate(first, last, 0.0) / 10; };
  EXPECT_LT(mean(losses.end() - 10, losses.end()), mean(losses.begin(), losses.begin() + 10) - 0.2);
}

TEST_F(Pretraining, AutoregressiveTransformerLearnsAndResumesWithTheSameBits) {
  PretrainRecipe recipe = tiny_recipe();
  recipe.transformer = tiny_autoregressive_base().transformer.config;
  recipe.transformer_stage.steps = 60;
  recipe.transformer_stage.learning_rate = 1e-2;
  const auto train = [&](const std::filesystem::path& file, std::vector<double>& losses,
                         std::int64_t crash_at) {
    return pretrain_transformer(recipe, *pool_, tiny_base().tokenizer, file, "x", losses,
                                [&](const std::string& line) {
                                  if (crash_at > 0 && line.starts_with("transformer: step"))
                                    throw std::runtime_error("killed");
                                });
  };
  expect_resume_keeps_the_bits(train);
  const TemporaryFolder folder;
  std::vector<double> losses;
  train(folder.path() / "m.h5", losses, 0);
  const auto mean = [](auto first, auto last) { return std::accumulate(first, last, 0.0) / 10; };
  EXPECT_LT(mean(losses.end() - 10, losses.end()), mean(losses.begin(), losses.begin() + 10) - 0.2);
}

TEST_F(Pretraining, FeatureStageRepeatsBitForBit) {
  const TemporaryFolder folder;
  const PretrainRecipe recipe = tiny_recipe();
  std::vector<double> losses;
  const auto silent = [](const std::string&) {};
  const ParameterMap first =
      pretrain_features(recipe, *pool_, folder.path() / "a.h5", "x", losses, silent);
  const ParameterMap second =
      pretrain_features(recipe, *pool_, folder.path() / "b.h5", "x", losses, silent);
  EXPECT_TRUE(same_bits(first, second));
}

std::string shipped_recipe() {
  return cluster::read_file(
      std::filesystem::path(MARQUEE_SOURCE_DIR) / "experiments/pretrain_mini.yaml", 1 << 20);
}

PretrainRecipe recipe_of(const std::string& text) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "recipe.yaml";
  std::ofstream(file) << text;
  return load_recipe(file);
}

TEST(Recipe, NamesAnUnknownKeyWithItsLine) {
  std::string text = shipped_recipe();
  const std::size_t at = text.find("  codebook:");
  ASSERT_NE(at, std::string::npos);
  text = text.substr(0, at) + "  codebok: 3\n" + text.substr(at);
  const auto line =
      1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  try {
    recipe_of(text);
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
    EXPECT_NE(message.find("codebok"), std::string::npos) << message;
    EXPECT_NE(message.find(":" + std::to_string(line)), std::string::npos) << message;
  }
}

// What is trained already stays valid while a later stage is still being tried out.
TEST(Recipe, AStageIsIdentifiedByWhatDecidesItsNumbers) {
  const std::string text = shipped_recipe();
  const PretrainRecipe shipped = recipe_of(text);
  const auto edited = [&](const std::string& section, const std::string& key,
                          const std::string& value) {
    std::string changed = text;
    const std::size_t at = changed.find("\n  " + key, changed.find("\n" + section + ":"));
    EXPECT_NE(at, std::string::npos);
    const std::size_t start = changed.find(':', at) + 2;
    changed.replace(start, changed.find_first_of(" \n", start) - start, value);
    return recipe_of(changed);
  };
  const auto expect_same = [&](const PretrainRecipe& recipe, bool tokenizer, bool transformer,
                               bool features) {
    EXPECT_EQ(recipe.tokenizer_identity == shipped.tokenizer_identity, tokenizer);
    EXPECT_EQ(recipe.transformer_identity == shipped.transformer_identity, transformer);
    EXPECT_EQ(recipe.features_identity == shipped.features_identity, features);
  };
  expect_same(recipe_of("# another remark\n" + text), true, true, true);
  expect_same(edited("features", "steps", "7777"), true, true, false);
  expect_same(edited("transformer", "steps", "7777"), true, false, true);
  expect_same(edited("tokenizer", "steps", "7777"), false, false, true);
  expect_same(edited("data", "task", "dtd"), false, false, false);
}

TEST(Recipe, TheShippedOneIsRead) {
  const PretrainRecipe recipe =
      load_recipe(std::filesystem::path(MARQUEE_SOURCE_DIR) / "experiments/pretrain_mini.yaml");
  EXPECT_EQ(recipe.name, "mini");
  const auto& transformer = std::get<TransformerConfig>(recipe.transformer);
  EXPECT_EQ(recipe.tokenizer.latent(), transformer.latent);
  EXPECT_EQ(recipe.tokenizer.codebook, transformer.codebook);
}

TEST(Recipe, AnAutoregressiveOneTakesTheTokenizerOfAnotherBase) {
  PretrainRecipe recipe =
      load_recipe(std::filesystem::path(MARQUEE_SOURCE_DIR) / "experiments/pretrain_mini_ar.yaml");
  EXPECT_EQ(recipe.tokenizer_base, "mini");
  EXPECT_EQ(recipe.features_base, "mini");
  set_grid(recipe, 1024, 8);
  const auto& transformer = std::get<GptConfig>(recipe.transformer);
  EXPECT_EQ(transformer.tokens(), 64);
  EXPECT_EQ(transformer.block_size, 64);
  EXPECT_EQ(transformer.codebook, 1024);
}

TEST(Recipe, RefusesAFamilyThatIsNone) {
  std::string text = shipped_recipe();
  const std::size_t at = text.find("\ntransformer:\n") + std::string("\ntransformer:\n").size();
  text.insert(at, "  family: diffusion\n");
  try {
    recipe_of(text);
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("diffusion"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace marquee::workers
