// The class-conditional arrangement of both networks, the sampling filters and the sampling loops.
#include <gtest/gtest.h>

#include "tests/fixtures/reference_file.h"
#include "workers/base_tokenizer.h"
#include "workers/models/autoregressive_decode.h"
#include "workers/models/loss.h"

namespace marquee::workers {
namespace {

using fixtures::expect_close;
using fixtures::expect_equal;
using fixtures::ReferenceFile;

constexpr const char* kNet2net = "models_ar/tiny_net2net.h5";
constexpr double kNet2netLogits = 4e-5, kFiltered = 6e-5, kNet2netLoss = 5e-6,
                 kNet2netProbability = 1e-5, kNet2netImage = 5e-5;

// The tensors below a prefix, without it.
ParameterMap below(const ParameterMap& all, const std::string& prefix) {
  ParameterMap part;
  for (const auto& [name, tensor] : all) {
    if (name.starts_with(prefix)) part[name.substr(prefix.size())] = tensor;
  }
  return part;
}

class Net2NetGolden : public testing::Test {
 protected:
  void SetUp() override {
    MARQUEE_REQUIRE_REFERENCE(kNet2net);
    reference_.emplace(kNet2net);
    const nlohmann::json sizes = reference_->config();
    const auto size = [&](const char* name) { return sizes.at(name).get<std::int64_t>(); };
    const VqganConfig tokenizer{size("ch"),
                                sizes.at("ch_mult"),
                                size("num_res_blocks"),
                                sizes.at("attn_resolutions"),
                                size("z_channels"),
                                size("embed_dim"),
                                size("n_embed"),
                                size("resolution")};
    const ParameterMap all = reference_->weights();
    weights_ = below(all, "transformer.");
    config_ = {size("n_embd"),     size("n_layer"),
               size("n_head"),     weights_.at("blocks.0.mlp.0.weight").size(0),
               size("vocab_size"), size("block_size"),
               size("n_classes"),  tokenizer.latent()};
    check_parameters(weights_, gpt_shapes(config_), kNet2net);
    tokenizer_ = BaseTokenizer(tokenizer, below(all, "first_stage_model."));
    check_parameters(tokenizer_.weights(), vqgan_shapes(tokenizer), kNet2net);
  }
  Tensor read(const std::string& name) const { return reference_->read(name); }
  Tensor ids(const std::string& name) const { return reference_->read_ids(name); }
  const Hdf5File& file() const { return reference_->file(); }
  Tensor class_prefix() const { return gpt_embed(config_, weights_, ids("c_indices"), 0); }
  // As the reference holds images: in [-1, 1].
  Tensor decoded(const Tensor& tokens) const { return tokenizer_.decode(tokens) * 2 - 1; }

  std::optional<ReferenceFile> reference_;
  GptConfig config_;
  ParameterMap weights_;
  BaseTokenizer tokenizer_;
};

TEST_F(Net2NetGolden, TokensAndReconstructionMatch) {
  const torch::InferenceMode inference;
  const Tensor tokens = tokenizer_.encode((read("image") + 1) / 2);
  expect_equal(tokens, ids("z_indices"), "z_indices");
  expect_close(decoded(tokens), read("reconstruction"), kNet2netImage, 0, "reconstruction");
}

TEST_F(Net2NetGolden, ClassStandsInFrontOfTheTokens) {
  const Tensor tokens = ids("z_indices");
  expect_equal(ids("c_indices").select(1, 0), ids("class"), "c_indices");
  expect_equal(at::cat({ids("c_indices"), tokens}, 1), ids("cz_indices"), "cz_indices");
  expect_equal(ids("cz_indices").narrow(1, 0, tokens.size(1)), ids("fed_ids"), "fed_ids");
  expect_equal(tokens, ids("target"), "target");
  const Tensor hidden =
      gpt_hidden(config_, weights_, gpt_embed(config_, weights_, ids("fed_ids"), 0));
  expect_close(gpt_logits(weights_, hidden), read("transformer_logits"), kNet2netLogits, 0,
               "transformer_logits");
  const Tensor logits = gpt_token_logits(config_, weights_, class_prefix(), tokens);
  expect_close(logits, read("logits"), kNet2netLogits, 0, "logits");
  const Tensor loss = masked_cross_entropy(logits, tokens, torch::ones(tokens.sizes()), 0.0).mean();
  EXPECT_NEAR(loss.item<double>(), reference_->read_number("loss"), kNet2netLoss);
}

TEST_F(Net2NetGolden, TokensReplacedByRandomOnes) {
  if (!reference_->has("pkeep")) GTEST_SKIP() << "no pkeep in " << kNet2net;
  const Tensor keep = read("pkeep/keep"), tokens = ids("z_indices");
  const Tensor fed = torch::where(keep > 0, tokens, ids("pkeep/random_ids"));
  const std::int64_t front = ids("c_indices").size(1);
  expect_equal(at::cat({ids("c_indices"), fed}, 1).narrow(1, 0, tokens.size(1)),
               ids("pkeep/fed_ids"), "pkeep/fed_ids");
  const Tensor logits = gpt_token_logits(config_, weights_, class_prefix(), fed);
  expect_close(logits, read("pkeep/logits").narrow(1, front - 1, tokens.size(1)), kNet2netLogits, 0,
               "pkeep/logits");
  expect_equal(ids("pkeep/target"), tokens, "pkeep/target");
  const Tensor loss = masked_cross_entropy(logits, tokens, torch::ones(tokens.sizes()), 0.0).mean();
  EXPECT_NEAR(loss.item<double>(), reference_->read_number("pkeep/loss"), kNet2netLoss);
}

TEST_F(Net2NetGolden, FiltersAlone) {
  if (!reference_->has("filters")) GTEST_SKIP() << "no filters in " << kNet2net;
  const Tensor logits = read("filters/logits");
  std::size_t compared = 0;
  for (const std::string& name : file().children("filters")) {
    if (name == "logits") continue;
    // "top_k5", "top_p0.9", "top_k7_top_p0.5".
    SamplingOptions options;
    const std::size_t k = name.find("top_k"), p = name.find("top_p");
    if (k != std::string::npos) options.top_k = std::stoll(name.substr(k + 5));
    if (p != std::string::npos) options.top_p = std::stod(name.substr(p + 5));
    const std::string rows =
        k != std::string::npos && p != std::string::npos ? "top_k_top_p_rows" : name + "_rows";
    Tensor input = logits;
    if (file().has_attribute("filters", rows)) {
      const std::vector<std::int64_t> chosen = file().ints_attribute("filters", rows);
      input = logits.index_select(0, torch::tensor(at::ArrayRef<std::int64_t>(chosen)));
    }
    expect_close(filter_logits(input, options), read("filters/" + name), 0, 0, name);
    ++compared;
  }
  EXPECT_GT(compared, 0U);
}

TEST_F(Net2NetGolden, EverySamplingRun) {
  const torch::InferenceMode inference;
  ASSERT_FALSE(file().children("sampling").empty());
  for (const std::string& run : file().children("sampling")) {
    const std::string at = "sampling/" + run;
    const bool cached = file().string_attribute(at, "sampler") == "cache";
    SamplingOptions options;
    options.temperature = file().double_attribute(at, "temperature");
    options.top_k = std::max<std::int64_t>(0, file().int_attribute(at, "top_k"));
    const double top_p = file().double_attribute(at, "top_p");
    if (top_p >= 0) options.top_p = top_p;
    const bool greedy = file().int_attribute(at, "sample") == 0;
    if (greedy) {
      ASSERT_EQ(options.temperature, 1.0);
      options.temperature = 0;
    }
    const std::int64_t start = file().int_attribute(at, "start"),
                       steps = file().int_attribute(at, "steps");
    const Tensor logits = read(at + "/logits"), filtered = read(at + "/filtered"),
                 probabilities = read(at + "/probabilities"), picks = ids(at + "/picks");
    const Tensor uniform =
        greedy ? torch::zeros({steps, picks.size(1)}, torch::kFloat64) : read(at + "/uniform");
    const Tensor known = ids(at + "/ids").narrow(1, 0, start);
    if (start > 0) expect_equal(known, ids("z_indices").narrow(1, 0, start), at + " start");
    // The whole sequence anew each step, as the official loop without a cache.
    const NextLogits whole = [&](const Tensor& now) {
      const Tensor front = class_prefix();
      const Tensor fed =
          now.size(1) == 0 ? front : at::cat({front, gpt_embed(config_, weights_, now, 1)}, 1);
      const Tensor hidden = gpt_hidden(config_, weights_, fed);
      return gpt_logits(weights_, hidden.select(1, now.size(1)));
    };
    const NextLogits next =
        cached ? cached_logits(config_, weights_, class_prefix(), config_.tokens()) : whole;
    const Tensor result =
        decode_sequence(options, known, uniform, next, [&](const SequenceStep& step) {
          const std::string here = at + " step " + std::to_string(step.step);
          expect_close(step.logits, logits[step.step], kNet2netLogits, 0, here + " logits");
          expect_close(step.filtered, filtered[step.step], kFiltered, 0, here + " filtered");
          expect_close(step.probabilities, probabilities[step.step], kNet2netProbability, 0,
                       here + " probabilities");
          expect_equal(step.picked, picks[step.step], here + " picks");
        });
    expect_equal(result, ids(at + "/ids"), at + "/ids");
    if (reference_->has(at + "/image"))
      expect_close(decoded(result), read(at + "/image"), kNet2netImage, 0, at + "/image");
  }
}

}  // namespace
}  // namespace marquee::workers
