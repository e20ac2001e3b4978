#include <gtest/gtest.h>

#include "tests/fixtures/reference_file.h"
#include "workers/base_tokenizer.h"

namespace marquee::workers {
namespace {

using fixtures::expect_close;
using fixtures::expect_equal;
using fixtures::ReferenceFile;

constexpr const char* kTinyVqgan = "models_ar/tiny_vqgan.h5";
constexpr double kEncoder = 5e-5, kStage = 1.5e-4, kVqganImage = 5e-5, kVqganLoss = 5e-6,
                 kVqganGradient = 2e-6, kVqganGradientRelative = 1e-4, kMargin = 5e-4;
constexpr const char* kCodebook = "quantize.embedding.weight";

class VqganGolden : public testing::Test {
 protected:
  void SetUp() override {
    MARQUEE_REQUIRE_REFERENCE(kTinyVqgan);
    reference_.emplace(kTinyVqgan);
    const nlohmann::json sizes = reference_->config();
    config_ = {sizes.at("ch"),
               sizes.at("ch_mult"),
               sizes.at("num_res_blocks"),
               sizes.at("attn_resolutions"),
               sizes.at("z_channels"),
               sizes.at("embed_dim"),
               sizes.at("n_embed"),
               sizes.at("resolution")};
    weights_ = reference_->weights();
    check_parameters(weights_, vqgan_shapes(config_), kTinyVqgan);
  }
  Tensor read(const std::string& name) const { return reference_->read(name); }
  Tensor ids(const std::string& name) const { return reference_->read_ids(name); }
  // The stage of a name, of one run of the encoder or of the decoder.
  Tensor stage(const std::string& wanted, const std::function<void(const StageObserver&)>& run) {
    Tensor found;
    run([&](const std::string& name, const Tensor& output) {
      if (name == wanted) found = output;
    });
    return found;
  }

  std::optional<ReferenceFile> reference_;
  VqganConfig config_;
  ParameterMap weights_;
};

TEST_F(VqganGolden, EncodesAndQuantisesAsTheReference) {
  const torch::InferenceMode inference;
  Tensor before;
  const Tensor encoded = vqgan_encode(config_, weights_, read("image"),
                                      [&](const std::string& name, const Tensor& output) {
                                        if (name == "encoder.conv_out") before = output;
                                      });
  expect_close(before, read("encoder_output"), kEncoder, 0, "encoder_output");
  expect_close(encoded, read("quant_conv"), kEncoder, 0, "quant_conv");
  const Quantised quantised = quantise(weights_.at(kCodebook), encoded);
  expect_equal(quantised.ids, ids("ids").flatten(1), "ids");
  expect_equal(quantised.ids.flatten(), ids("ids_flat"), "ids_flat");
  expect_equal(quantised.vectors, read("codebook_entry"), "codebook_entry");
  expect_close(quantised.vectors, read("quantised"), 1e-6, 0, "quantised");
  const Tensor wide = encoded.permute({0, 2, 3, 1}).flatten(0, 2).to(torch::kFloat64);
  const Tensor distances = torch::cdist(wide, weights_.at(kCodebook).to(torch::kFloat64)).square();
  expect_close(distances, read("distances"), kMargin, 0, "distances");
  const Tensor best = std::get<0>(distances.topk(2, 1, /*largest=*/false));
  expect_close((best.select(1, 1) - best.select(1, 0)).reshape(reference_->file().shape("margin")),
               read("margin"), kMargin, 0, "margin");
}

TEST_F(VqganGolden, DecodesAsTheReference) {
  const torch::InferenceMode inference;
  const Tensor vectors = code_vectors(weights_.at(kCodebook), ids("ids").flatten(1));
  const Tensor inner = stage("post_quant_conv", [&](const StageObserver& observe) {
    expect_close(vqgan_decode(config_, weights_, vectors, observe), read("decoded"), kVqganImage, 0,
                 "decoded");
  });
  expect_close(inner, read("post_quant_conv"), kEncoder, 0, "post_quant_conv");
  const Tensor random = code_vectors(weights_.at(kCodebook), ids("random_ids").flatten(1));
  expect_close(vqgan_decode(config_, weights_, random), read("random_decoded"), kVqganImage, 0,
               "random_decoded");
}

TEST_F(VqganGolden, BaseTokenizerTakesAndGivesImagesFromZeroToOne) {
  const torch::InferenceMode inference;
  const BaseTokenizer tokenizer(config_, weights_);
  const Tensor tokens = tokenizer.encode((read("image") + 1) / 2);
  expect_equal(tokens, ids("ids").flatten(1), "ids");
  expect_close(tokenizer.decode(tokens) * 2 - 1, read("decoded"), kVqganImage, 0, "decoded");
}

TEST_F(VqganGolden, EveryModuleMatches) {
  const torch::InferenceMode inference;
  std::set<std::string> compared;
  const StageObserver compare = [&](const std::string& name, const Tensor& output) {
    if (!reference_->has("stages/" + name)) return;
    expect_close(output, read("stages/" + name), kStage, 0, name);
    compared.insert(name);
  };
  const Tensor images = read("image");
  const Tensor encoded =
      vqgan_encode(config_, weights_, images.narrow(0, images.size(0) - 1, 1), compare);
  vqgan_decode(config_, weights_, quantise(weights_.at(kCodebook), encoded).vectors, compare);
  for (const std::string& name : reference_->file().children("stages"))
    EXPECT_TRUE(compared.contains(name)) << name;
}

TEST_F(VqganGolden, AnotherImageSizeGoesThroughTheSameModules) {
  if (!reference_->has("rect")) GTEST_SKIP() << "no rect in " << kTinyVqgan;
  const torch::InferenceMode inference;
  const Tensor encoded = vqgan_encode(config_, weights_, read("rect/image"));
  expect_close(encoded, read("rect/quant_conv"), kEncoder, 0, "rect/quant_conv");
  const Quantised quantised = quantise(weights_.at(kCodebook), encoded);
  expect_equal(quantised.ids, ids("rect/ids").flatten(1), "rect/ids");
  expect_close(vqgan_decode(config_, weights_, quantised.vectors), read("rect/decoded"),
               kVqganImage, 0, "rect/decoded");
}

TEST_F(VqganGolden, GradientsGoStraightThroughTheQuantiser) {
  if (!reference_->has("gradient")) GTEST_SKIP() << "no gradient in " << kTinyVqgan;
  const double beta = reference_->file().double_attribute("", "beta");
  ParameterMap trained = trainable_copy(weights_);
  const auto codebook_loss = [&](const Tensor& encoded, const Tensor& vectors, bool legacy) {
    const Tensor commitment = (vectors.detach() - encoded).square().mean(),
                 codes = (vectors - encoded.detach()).square().mean();
    return legacy ? commitment + beta * codes : beta * commitment + codes;
  };
  {
    const torch::NoGradGuard no_grad;
    const Tensor all = vqgan_encode(config_, weights_, read("image"));
    const Tensor vectors = quantise(weights_.at(kCodebook), all).vectors;
    EXPECT_NEAR(codebook_loss(all, vectors, true).item<double>(),
                reference_->read_number("emb_loss"), kVqganLoss);
    EXPECT_NEAR(codebook_loss(all, vectors, false).item<double>(),
                reference_->read_number("emb_loss_not_legacy"), kVqganLoss);
  }
  const Tensor image = read("image").narrow(0, 0, 1);
  Tensor encoded = vqgan_encode(config_, trained, image);
  encoded.retain_grad();
  const Tensor vectors = quantise(trained.at(kCodebook), encoded).vectors;
  const Tensor decoded = vqgan_decode(config_, trained, encoded + (vectors - encoded).detach());
  const Tensor loss = (image - decoded).abs().mean() + codebook_loss(encoded, vectors, true);
  EXPECT_NEAR(loss.item<double>(), reference_->read_number("gradient/loss"), kVqganLoss);
  loss.backward();
  for (const std::string& name : reference_->file().children("gradient")) {
    if (name == "loss") continue;
    const Tensor gradient = name == "quant_conv_output" ? encoded.grad() : trained.at(name).grad();
    expect_close(gradient, read("gradient/" + name), kVqganGradient, kVqganGradientRelative, name);
  }
}

}  // namespace
}  // namespace marquee::workers
