#include <gtest/gtest.h>

#include "tests/fixtures/formula_tensors.h"
#include "tests/fixtures/reference_file.h"
#include "workers/models/tokenizer.h"

namespace marquee::workers {
namespace {

using fixtures::expect_close;
using fixtures::expect_equal;
using fixtures::mean_std_absmax;
using fixtures::ReferenceFile;

constexpr const char* kTinyTokenizer = "models/tiny_vqgan.h5";
constexpr const char* kFullSizeTokenizer = "models/fullsize_vqgan.h5";

TokenizerConfig tokenizer_config_of(const ReferenceFile& reference) {
  const nlohmann::json config = reference.config();
  return {config.at("filters"), config.at("mult"), config.at("blocks"),
          config.at("E"),       config.at("K"),    config.at("size")};
}

Tensor nchw(const Tensor& nhwc) {
  return nhwc.permute({0, 3, 1, 2}).contiguous();
}
Tensor nhwc(const Tensor& nchw_tensor) {
  return nchw_tensor.permute({0, 2, 3, 1});
}

// The last image of the file alone, whose stages are stored.
Tensor last_image(const Tensor& images) {
  return images.narrow(0, images.size(0) - 1, 1);
}

TEST(TokenizerGolden, HasTheTensorsOfTheReference) {
  MARQUEE_REQUIRE_REFERENCE(kTinyTokenizer);
  const ReferenceFile reference(kTinyTokenizer);
  EXPECT_NO_THROW(check_parameters(
      reference.weights(), tokenizer_shapes(tokenizer_config_of(reference)), kTinyTokenizer));
}

TEST(TokenizerGolden, EncodesAndQuantisesAsTheReference) {
  MARQUEE_REQUIRE_REFERENCE(kTinyTokenizer);
  const ReferenceFile reference(kTinyTokenizer);
  const ParameterMap weights = reference.weights();
  const Tensor encoded =
      encode(tokenizer_config_of(reference), weights, nchw(reference.read("image")));
  expect_close(nhwc(encoded), reference.read("encoded"), 1e-4, 0, "encoded");
  const Quantised quantised = quantise(weights.at("quantizer/codebook"), encoded);
  expect_equal(quantised.ids, reference.read_ids("ids").flatten(1), "ids");
  expect_equal(nhwc(quantised.vectors), reference.read("quantised"), "quantised");
}

// How much farther the second code is than the nearest, for every vector of `encoded` NHWC.
void expect_margins(const ReferenceFile& reference, const Tensor& encoded,
                    const ParameterMap& weights, double tolerance) {
  const Tensor distance = torch::cdist(encoded.flatten(0, 2).to(torch::kFloat64),
                                       weights.at("quantizer/codebook").to(torch::kFloat64))
                              .square();
  const Tensor best = std::get<0>(distance.topk(2, 1, /*largest=*/false));
  expect_close((best.select(1, 1) - best.select(1, 0)).reshape(reference.file().shape("margin")),
               reference.read("margin"), tolerance, 0, "margin");
}

TEST(TokenizerGolden, MarginsOfTheCodesMatchTheReference) {
  MARQUEE_REQUIRE_REFERENCE(kTinyTokenizer);
  const ReferenceFile reference(kTinyTokenizer);
  const ParameterMap weights = reference.weights();
  const Tensor encoded =
      encode(tokenizer_config_of(reference), weights, nchw(reference.read("image")));
  expect_margins(reference, nhwc(encoded), weights, 5e-4);
}

TEST(TokenizerGolden, DecodesAsTheReference) {
  MARQUEE_REQUIRE_REFERENCE(kTinyTokenizer);
  const ReferenceFile reference(kTinyTokenizer);
  const ParameterMap weights = reference.weights();
  const TokenizerConfig config = tokenizer_config_of(reference);
  const Tensor from_ids = decode_ids(config, weights, reference.read_ids("ids").flatten(1));
  expect_close(nhwc(from_ids), reference.read("decoded"), 1e-4, 0, "decoded");
  const Tensor random = decode_ids(config, weights, reference.read_ids("random_ids").flatten(1));
  expect_close(nhwc(random), reference.read("random_decoded"), 1e-4, 0, "random_decoded");
}

TEST(TokenizerGolden, EveryModuleMatchesTheReference) {
  MARQUEE_REQUIRE_REFERENCE(kTinyTokenizer);
  const ReferenceFile reference(kTinyTokenizer);
  const ParameterMap weights = reference.weights();
  const TokenizerConfig config = tokenizer_config_of(reference);
  std::size_t compared = 0;
  const StageObserver compare = [&](const std::string& name, const Tensor& output) {
    if (!reference.has("stages/" + name)) return;
    expect_close(nhwc(output), reference.read("stages/" + name), 2e-4, 0, name);
    ++compared;
  };
  const Tensor encoded =
      encode(config, weights, nchw(last_image(reference.read("image"))), compare);
  decode_vectors(config, weights, quantise(weights.at("quantizer/codebook"), encoded).vectors,
                 compare);
  std::size_t stored = 0;
  for (const char* half : {"stages/encoder", "stages/decoder"}) {
    stored += reference.file().children(half).size();
  }
  EXPECT_EQ(compared, stored);
}

TEST(TokenizerGolden, RefusesIdsOutsideTheCodebook) {
  MARQUEE_REQUIRE_REFERENCE(kTinyTokenizer);
  const ReferenceFile reference(kTinyTokenizer);
  const TokenizerConfig config = tokenizer_config_of(reference);
  const Tensor ids =
      torch::full({1, config.latent() * config.latent()}, config.codebook, torch::kInt64);
  EXPECT_ANY_THROW(decode_ids(config, reference.weights(), ids));
}

void expect_summary(const ReferenceFile& reference, const std::string& name, const Tensor& values) {
  expect_close(mean_std_absmax(values), reference.read(name + "_stats"), 2e-4, 0, name + "_stats");
  const std::string sub = name + "_sub";
  if (reference.has(sub)) {
    expect_close(reference.strided(sub, values), reference.read(sub), 2e-4, 0, sub);
  }
  const std::string border = name + "_border";
  if (reference.has(border)) {
    const Tensor part = reference.strided(border, values);
    const Tensor expected = reference.read(border);
    expect_close(part.narrow(1, 0, expected.size(1)), expected, 2e-4, 0, border);
  }
}

TEST(TokenizerGolden, FullSizeMatchesTheReference) {
  MARQUEE_REQUIRE_REFERENCE(kFullSizeTokenizer);
  const torch::InferenceMode inference;
  const ReferenceFile reference(kFullSizeTokenizer);
  const TokenizerConfig config = tokenizer_config_of(reference);
  const ParameterMap weights = reference.weights();
  const std::int64_t size = config.image_size;

  const auto last = static_cast<double>(size - 1);
  const Tensor x = torch::arange(size, torch::kFloat64).reshape({1, size, 1});
  const Tensor y = torch::arange(size, torch::kFloat64).reshape({size, 1, 1});
  const Tensor c = torch::arange(3, torch::kFloat64).reshape({1, 1, 3});
  const Tensor gradient = ((c + 1) * x + (3 - c) * y) / ((c + 1) * last + (3 - c) * last);
  const Tensor noise =
      fixtures::formula_uniform(reference.seed(), "full/image", {1, size, size, 3});
  const Tensor image = (0.5 * noise + 0.5 * gradient.unsqueeze(0)).to(torch::kFloat32);
  expect_close(mean_std_absmax(image), reference.read("image_stats"), 1e-6, 0, "image_stats");
  expect_close(reference.strided("image_sub", image), reference.read("image_sub"), 1e-7, 0,
               "image_sub");

  const Tensor encoded = encode(config, weights, nchw(image));
  expect_summary(reference, "encoded", nhwc(encoded));
  const Quantised quantised = quantise(weights.at("quantizer/codebook"), encoded);
  expect_equal(quantised.ids, reference.read_ids("ids").flatten(1), "ids");
  expect_margins(reference, nhwc(encoded), weights, 2e-3);
  expect_summary(reference, "decoded_ids", nhwc(decode_ids(config, weights, quantised.ids)));
  expect_summary(reference, "decoded_random_ids",
                 nhwc(decode_ids(config, weights, reference.read_ids("random_ids").flatten(1))));
}

}  // namespace
}  // namespace marquee::workers
