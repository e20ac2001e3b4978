// marquee import on the small published-format files: every value arrives where it belongs, can be
// put back as it was, and what is wrong is named.
#include <fstream>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/fixtures/reference_file.h"
#include "tests/workers/refusal.h"
#include "workers/base_model.h"
#include "workers/import/import_base.h"
#include "workers/mapped_tensor.h"
#include "workers/safetensors.h"
#include "workers/tuning/adapter.h"

namespace marquee::workers {
namespace {

using cluster::TemporaryFolder;
using fixtures::expect_equal;
using fixtures::ReferenceFile;

constexpr const char* kMasked = "models/checkpoints/tiny_transformer.msgpack";
constexpr const char* kMaskGitTokens = "models/checkpoints/tiny_tokenizer.msgpack";
constexpr const char* kTamingModel = "models_ar/checkpoints/tiny_net2net.safetensors";
constexpr const char* kTamingTransformer =
    "models_ar/checkpoints/tiny_transformer_only.safetensors";
constexpr const char* kTamingTokens = "models_ar/checkpoints/tiny_vqgan_with_loss.safetensors";

std::filesystem::path path_of(const char* relative) {
  return reference_folder() / relative;
}

ImportRequest maskgit_request() {
  ImportRequest request;
  request.name = "small";
  request.kind = "maskgit";
  request.transformer = path_of(kMasked);
  request.tokenizer = path_of(kMaskGitTokens);
  return request;
}

// Heads and classes as tiny_net2net.h5 has them.
ImportRequest taming_request() {
  const ReferenceFile sizes("models_ar/tiny_net2net.h5");
  ImportRequest request;
  request.name = "small";
  request.kind = "taming";
  request.transformer = path_of(kTamingModel);
  request.heads = sizes.config_int("n_head");
  request.classes = sizes.config_int("n_classes");
  return request;
}

void expect_weights(const ParameterMap& actual, const ParameterMap& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (const auto& [name, value] : expected) expect_equal(actual.at(name), value, name);
}

// The weights in the layout of the source again, compared with every tensor that the file holds.
void expect_exported(const ParameterMap& ours, const SourceNetwork& network) {
  ASSERT_EQ(ours.size(), network.tensors.size());
  for (const auto& [name, source] : network.tensors) {
    const Tensor& value = ours.at(name);
    const Tensor exported = source.hwio ? value.permute({2, 3, 1, 0}) : value;
    expect_equal(exported.contiguous(), mapped_tensor(source.stored, network.file), source.name);
  }
}

BaseModel imported(const CheckedImport& import, const std::filesystem::path& assets) {
  write_import(import, assets);
  return load_base(experiments::load_base_manifest(assets, import.request.name));
}

void expect_samples(const BaseModel& base) {
  experiments::RunConfig run;
  run.method = "none";
  const auto adapter = make_adapter(run, base, 1);
  const Tensor tokens = adapter->sample_tokens(run, {torch::zeros({2}, torch::kInt64)}, 0);
  const Tensor images = base.tokenizer.decode(tokens);
  EXPECT_EQ(images.size(2), base.tokenizer.image_size());
  EXPECT_TRUE(images.isfinite().all().item<bool>());
}

TEST(ImportGolden, MaskGitWeightsArriveWhereTheyBelong) {
  MARQUEE_REQUIRE_REFERENCE(kMasked);
  MARQUEE_REQUIRE_REFERENCE(kMaskGitTokens);
  const TemporaryFolder assets;
  const CheckedImport import = check_import(maskgit_request());
  const BaseModel base = imported(import, assets.path());
  expect_weights(base.transformer.weights, ReferenceFile("models/tiny_transformer.h5").weights());
  expect_weights(base.tokenizer.weights(), ReferenceFile("models/tiny_vqgan.h5").weights());
  expect_exported(base.transformer.weights, import.transformer);
  expect_exported(base.tokenizer.weights(), import.tokenizer);
  const ReferenceFile sizes("models/tiny_transformer.h5");
  const auto& config = std::get<TransformerConfig>(base.transformer.config);
  EXPECT_EQ(config.heads, sizes.config_int("H"));
  EXPECT_EQ(config.layers, sizes.config_int("L"));
  EXPECT_EQ(config.mlp, sizes.config_int("M"));
  EXPECT_EQ(config.classes, sizes.config_int("classes"));
  EXPECT_EQ(config.latent, sizes.config_int("latent"));
  expect_samples(base);
}

TEST(ImportGolden, TamingWeightsArriveWhereTheyBelong) {
  MARQUEE_REQUIRE_REFERENCE(kTamingModel);
  const TemporaryFolder assets;
  const CheckedImport import = check_import(taming_request());
  const BaseModel base = imported(import, assets.path());
  ParameterMap all;
  for (const auto& [name, value] : base.transformer.weights) all["transformer." + name] = value;
  for (const auto& [name, value] : base.tokenizer.weights())
    all["first_stage_model." + name] = value;
  expect_weights(all, ReferenceFile("models_ar/tiny_net2net.h5").weights());
  expect_exported(base.transformer.weights, import.transformer);
  expect_exported(base.tokenizer.weights(), import.tokenizer);
  const ReferenceFile sizes("models_ar/tiny_net2net.h5");
  const auto& tokenizer = std::get<VqganConfig>(base.tokenizer.config());
  EXPECT_EQ(tokenizer.image_size, sizes.config_int("resolution"));
  EXPECT_EQ(nlohmann::json(tokenizer.attention_resolutions), sizes.config().at("attn_resolutions"));
  EXPECT_EQ(nlohmann::json(tokenizer.multipliers), sizes.config().at("ch_mult"));
  expect_samples(base);
}

TEST(ImportGolden, TransformerAndTokenizerFromFilesOfTheirOwn) {
  MARQUEE_REQUIRE_REFERENCE(kTamingTransformer);
  MARQUEE_REQUIRE_REFERENCE(kTamingTokens);
  const TemporaryFolder assets;
  ImportRequest request = taming_request();
  request.transformer = path_of(kTamingTransformer);
  request.tokenizer = path_of(kTamingTokens);
  const CheckedImport import = check_import(request);
  for (const auto& [name, tensor] : import.tokenizer.tensors)
    EXPECT_FALSE(name.starts_with("loss.")) << name;
  const BaseModel base = imported(import, assets.path());
  ParameterMap expected;
  const std::string prefix = "first_stage_model.";
  for (const auto& [name, value] : ReferenceFile("models_ar/tiny_net2net.h5").weights())
    if (name.starts_with(prefix)) expected[name.substr(prefix.size())] = value;
  expect_weights(base.tokenizer.weights(), expected);
  expect_samples(base);
}

TEST(ImportGolden, StoresBfloat16WhereAskedAndSaysWhereTheWeightsComeFrom) {
  MARQUEE_REQUIRE_REFERENCE(kMasked);
  const TemporaryFolder assets;
  ImportRequest request = maskgit_request();
  request.type = torch::kBFloat16;
  const CheckedImport import = check_import(request);
  const experiments::BaseManifest manifest = write_import(import, assets.path());
  const BaseModel base =
      load_base(experiments::load_base_manifest(assets.path(), import.request.name));
  for (const auto& [name, value] : base.transformer.weights) {
    expect_equal(value, import.transformer.load(name, torch::kBFloat16), name);
    EXPECT_EQ(value.scalar_type(), torch::kBFloat16) << name;
  }
  for (const auto& [name, value] : base.tokenizer.weights())
    EXPECT_EQ(value.scalar_type(), torch::kFloat32) << name;
  const auto& source = manifest.provenance.at("imported").at("transformer");
  EXPECT_EQ(source.at("file"), "tiny_transformer.msgpack");
  EXPECT_EQ(source.at("format"), "flax msgpack");
  EXPECT_EQ(source.at("sha256").get<std::string>().size(), 64U);
  expect_samples(base);
}

TEST(ImportGolden, NamesWhatIsWrong) {
  for (const auto& [file, words] :
       {std::pair<const char*, std::vector<std::string>>{
            "models/checkpoints/bad_shape.msgpack",
            {"TransformerLayer_1/Mlp_0/intermediate_output/kernel", "[64, 255]", "[64, 256]"}},
        {"models/checkpoints/bad_missing_key.msgpack", {"MlmLayer_0/mlm_bias/bias", "missing"}},
        {"models/checkpoints/bad_truncated.msgpack", {"bad_truncated.msgpack", "params/"}},
        {"models/checkpoints/tiny_prompt_S4.msgpack", {"'params'", "model_state"}},
        {"models_ar/checkpoints/bad_missing_key.safetensors",
         {"transformer.blocks.1.attn.proj.weight", "missing"}},
        {"models_ar/checkpoints/bad_shape.safetensors",
         {"transformer.blocks.0.mlp.0.weight", "[192, 47]", "[192, 48]"}}}) {
    if (!ReferenceFile::exists(file)) {
      std::cout << "no " << file << ": left out\n";
      continue;
    }
    const bool taming = std::string(file).starts_with("models_ar");
    ImportRequest request = taming ? taming_request() : maskgit_request();
    request.transformer = path_of(file);
    if (taming) request.tokenizer = path_of(kTamingTokens);
    const std::string message = refusal_of([&] { check_import(request); });
    for (const std::string& word : words)
      EXPECT_NE(message.find(word), std::string::npos) << message << "\n  lacks " << word;
  }
}

TEST(ImportGolden, LeavesNothingBehindWhenANumberIsNotFinite) {
  MARQUEE_REQUIRE_REFERENCE(kTamingTransformer);
  const TemporaryFolder folder;
  const auto assets = folder.path() / "assets";
  ParameterMap weights;
  for (const auto& [name, stored] : open_weight_file(path_of(kTamingTransformer)).tensors) {
    if (name.ends_with("mask")) continue;
    weights[name] =
        mapped_tensor(stored, open_weight_file(path_of(kTamingTransformer)).file).clone();
  }
  weights.rbegin()->second.view(-1)[0] = std::nanf("");
  write_safetensors(folder.path() / "nan.safetensors", weights);
  ImportRequest request = taming_request();
  request.transformer = folder.path() / "nan.safetensors";
  request.tokenizer = path_of(kTamingTokens);
  const std::string message = refusal_of([&] { write_import(check_import(request), assets); });
  EXPECT_NE(message.find(weights.rbegin()->first), std::string::npos) << message;
  EXPECT_TRUE(std::filesystem::is_empty(assets));
}

// The sizes that are known against the key trees of the published files.
TEST(ImportGolden, KnownBasesHaveThePublishedKeyTrees) {
  struct Tree {
    const char* file;
    const char* key;
    const char* base;
    bool transformer;
    const char* prefix;
  };
  const auto shapes_of = [](const Tree& tree) {
    const KnownBase& base = *find_known_base(tree.base);
    return tree.transformer ? transformer_shapes(base.transformer)
                            : tokenizer_shapes(base.tokenizer);
  };
  const char* kMaskGitTrees = "models/checkpoint_key_trees.json";
  const char* kTamingTrees = "models_ar/checkpoint_key_trees.json";
  for (const Tree& tree : std::initializer_list<Tree>{
           {kMaskGitTrees, "transformer_256", "maskgit256", true, "params/"},
           {kMaskGitTrees, "transformer_512", "maskgit512", true, "params/"},
           {kMaskGitTrees, "tokenizer_256", "maskgit256", false, "params/"},
           {kMaskGitTrees, "tokenizer_512", "maskgit512", false, "params/"},
           {kTamingTrees, "cin_transformer", "taming256", true, "transformer."},
           {kTamingTrees, "cin_transformer", "taming256", false, "first_stage_model."},
           {kTamingTrees, "vqgan_imagenet_f16_16384", "taming256", false, ""}}) {
    if (!std::filesystem::exists(path_of(tree.file))) {
      std::cout << "no " << tree.file << ": left out\n";
      continue;
    }
    std::ifstream stream(path_of(tree.file));
    const nlohmann::json published = nlohmann::json::parse(stream).at(tree.key);
    ShapeMap expected;
    std::int64_t numbers = 0;
    for (const auto& [name, entry] : published.at("keys").items()) {
      if (!name.starts_with(tree.prefix) || entry.value("ignore", false)) continue;
      auto shape = entry.at("shape").get<std::vector<std::int64_t>>();
      if (tree.file == kMaskGitTrees && shape.size() == 4)
        shape = {shape[3], shape[2], shape[0], shape[1]};
      std::int64_t count = 1;
      for (const std::int64_t extent : shape) count *= extent;
      numbers += count;
      expected[name.substr(std::string(tree.prefix).size())] = shape;
    }
    EXPECT_EQ(shapes_of(tree), expected) << tree.key << " " << tree.prefix;
    if (published.contains("parameters") && tree.file == kMaskGitTrees) {
      EXPECT_EQ(numbers, published.at("parameters").get<std::int64_t>()) << tree.key;
    }
  }
}

}  // namespace
}  // namespace marquee::workers
