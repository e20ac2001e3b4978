#include "tests/workers/tiny_base.h"

#include <fstream>

#include "datasets/dataset_hash.h"
#include "datasets/task.h"
#include "workers/random.h"
#include "workers/tuning/adapter.h"

namespace marquee::workers {
namespace {

constexpr std::uint64_t kSeed = 11;

}  // namespace

BaseModel tiny_base() {
  BaseModel base;
  base.version = "tiny-test";
  const TokenizerConfig tokenizer{8, {1, 1, 1, 1}, 1, 8, 32, 64, 4};
  const TransformerConfig transformer{16, 1, 2, 32, 32, 5, 8};
  base.feature_config = {{8, 16}, 5, 64};
  base.tokenizer = BaseTokenizer(tokenizer, init_tokenizer(tokenizer, kSeed));
  base.transformer = {transformer, init_transformer(transformer, kSeed)};
  base.features = init_features(base.feature_config, kSeed);
  return base;
}

BaseModel tiny_autoregressive_base() {
  BaseModel base = tiny_base();
  const VqganConfig tokenizer{32, {1, 1, 1, 1}, 1, {8}, 8, 8, 32, 64};
  const GptConfig transformer{16, 2, 2, 32, 32, 64, 5, 8};
  base.tokenizer = BaseTokenizer(tokenizer, random_weights(vqgan_shapes(tokenizer), kSeed, 0.1F));
  base.transformer = {transformer, random_weights(gpt_shapes(transformer), kSeed, 0.2F)};
  return base;
}

BaseModel install(const BaseModel& base, const std::filesystem::path& assets) {
  return load_base(save_base(base, assets / "tiny", nlohmann::json::object()));
}

BaseModel install_tiny_base(const std::filesystem::path& assets) {
  return install(tiny_base(), assets);
}

ParameterMap random_weights(const ShapeMap& shapes, std::uint64_t seed, float scale) {
  ParameterMap weights;
  std::uint64_t index = 0;
  for (const auto& [name, shape] : shapes) {
    PhiloxStream stream(seed, cluster::Purpose::init, 0, index++);
    const bool norm =
        name.find("norm") != std::string::npos || name.find("ln") != std::string::npos;
    const bool centre = name.ends_with("/scale") || (norm && name.ends_with("weight"));
    weights[name] = normal_tensor(stream, shape) * scale + (centre ? 1.0 : 0.0);
  }
  return weights;
}

experiments::RunConfig tiny_run(const BaseModel& base, const std::string& method) {
  experiments::RunConfig run;
  run.task = "drawn/dsprites_location";
  run.shots = "1";
  run.method = method;
  run.base = "tiny";
  run.family = std::holds_alternative<GptConfig>(base.transformer.config)
                   ? experiments::kAutoregressive
                   : experiments::kMasked;
  run.base_hash = base.base_hash;
  run.network_hash = base.network_hash;
  run.data_hash = datasets::dataset_content_hash(datasets::find_task(run.task), {});
  run.numerics_version = experiments::kNumericsVersion;
  run.prompt_length = 2;
  run.steps = 8;
  run.learning_rate = 0.01;
  run.batch = 8;
  run.micro_batches = 4;
  run.samples = 24;
  run.decode_steps = 3;
  run.decode_batch = 8;
  run.checkpoint_interval = 2;
  return run;
}

void damage(const std::filesystem::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(file) / 2);
  stream.seekg(middle);
  const char byte = static_cast<char>(stream.get() ^ 0x20);
  stream.seekp(middle);
  stream.put(byte);
}

bool same_bits(const ParameterMap& a, const ParameterMap& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a) {
    const auto other = b.find(name);
    if (other == b.end() || !torch::equal(tensor, other->second)) return false;
  }
  return true;
}

}  // namespace marquee::workers
