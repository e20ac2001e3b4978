#include "experiments/run_size.h"

#include <algorithm>

#include "datasets/task.h"
#include "experiments/protocols.h"

namespace marquee::experiments {
namespace {

using nlohmann::json;

constexpr std::int64_t kFloatBytes = 4, kTokenBytes = 4;
constexpr std::int64_t kShownImages = 64, kChannels = 3;
// Of preview.png, real.png, neighbours.png and film.png.
constexpr std::int64_t kSmallImages = 3 * 20 + 3 * 8, kWidestSmall = 96;
constexpr std::int64_t kFileOverhead = 64 * 1024;                // of an HDF5 file's structure
constexpr std::int64_t kSmallFiles = 32 * 1024;                  // run.yaml, log, attempt.json
constexpr std::int64_t kRuntimeBytes = std::int64_t{350} << 20;  // LibTorch, HDF5, code
constexpr std::int64_t kCopiesWhileTuning = 4;                   // value, gradient, two moments
constexpr std::int64_t kInceptionNumbers = 23'900'000, kInceptionWidth = 2048;
constexpr std::int64_t kInceptionActivations = std::int64_t{16} << 20;  // of an image, fp32
constexpr std::int64_t kLayerCopies = 12, kLogitCopies = 5, kLevelCopies = 6;

std::int64_t number(const BaseManifest& base, const char* network, const char* key) {
  const auto found = base.files.find(network);
  if (found == base.files.end() || !found->second.config.is_object()) return 0;
  const auto value = found->second.config.find(key);
  if (value == found->second.config.end()) return 0;
  if (value->is_array() && !value->empty() && value->back().is_number_integer())
    return value->back().get<std::int64_t>();
  return value->is_number_integer() ? value->get<std::int64_t>() : 0;
}

std::int64_t trained_numbers(const RunConfig& run, const BaseManifest& base, std::int64_t classes,
                             std::int64_t instances) {
  const std::int64_t width = number(base, "transformer", "width");
  if (!trains(run)) return 0;
  if (run.method == "prompt") return prompt_numbers(run, width, classes, instances);
  if (run.method == "linear_class") return classes * width;
  // Two factors on each of query, key, value and output.
  if (run.method == "lora") {
    return classes * width + number(base, "transformer", "layers") * 4 * 2 * width * run.lora_rank;
  }
  const auto transformer = base.files.find("transformer");
  const std::int64_t whole = transformer == base.files.end() ? 0 : transformer->second.numbers;
  // Classes of an autoregressive base share the rows of the codes.
  if (run.family == kAutoregressive) return whole;
  // The whole transformer with rows of the word table (and its bias) for the task's classes.
  return whole + (classes - number(base, "transformer", "classes")) * (width + 1);
}

std::int64_t activations(const RunConfig& run, const BaseManifest& base) {
  const std::int64_t latent = number(base, "transformer", "latent");
  const std::int64_t positions =
      latent * latent + 1 + (run.method == "prompt" ? run.prompt_length : 0);
  const std::int64_t codes = number(base, "transformer", "codebook");
  const std::int64_t logits = positions * codes * kLogitCopies;
  const std::int64_t width = number(base, "transformer", "width");
  const std::int64_t layer =
      positions * (kLayerCopies * width + 2 * number(base, "transformer", "mlp"));
  const std::int64_t count = number(base, "transformer", "layers");
  const std::int64_t layers =
      run.recompute_activations ? count * positions * width + layer : count * layer;
  const std::int64_t rows = run.batch / std::max(1, run.micro_batches);
  const std::int64_t tuning = trains(run) ? rows * (layers + logits) : 0;
  const std::int64_t side = number(base, "tokenizer", "image_size");
  const std::int64_t levels = side * side * number(base, "tokenizer", "filters") * kLevelCopies;
  const std::int64_t decoding = run.decode_batch * std::max(logits, levels);
  return std::max(tuning, decoding) * kFloatBytes;
}

}  // namespace

RunSize size_of_run(const RunConfig& run, const BaseManifest& base,
                    const datasets::ImageCounts& images) {
  const std::int64_t classes = std::max(1, num_classes(run));
  const std::int64_t latent = number(base, "transformer", "latent");
  const std::int64_t side = number(base, "tokenizer", "image_size");
  const std::int64_t pixels = side * side * kChannels;
  const std::int64_t losses = trains(run) ? std::int64_t{8} * run.steps : 0;
  RunSize size;
  size.trained_numbers = trained_numbers(run, base, classes, images.train);
  if (trains(run))
    size.checkpoint_bytes = 3 * kFloatBytes * size.trained_numbers + losses + kFileOverhead;
  const std::int64_t small = std::min(side, kWidestSmall);
  size.samples_bytes = kShownImages * pixels + kSmallImages * small * small * kChannels;
  const std::int64_t tokens = is_oracle(run) ? 0 : run.samples * (latent * latent + 1);
  size.result_bytes = kFloatBytes * size.trained_numbers + tokens * kTokenBytes +
                      kShownImages * pixels + losses + kFileOverhead + kSmallFiles;
  if (trains(run)) {
    const bool flips = datasets::flips(datasets::find_task(run.task), run.flip);
    size.token_cache_bytes =
        images.train * latent * latent * kTokenBytes * run.crops * (flips ? 2 : 1) + kFileOverhead;
  }
  const bool own = protocol_named(run.protocol).network == kMiniNetwork;
  size.feature_cache_bytes =
      images.test * (own ? number(base, "features", "channels") : kInceptionWidth) * kFloatBytes +
      kFileOverhead;
  std::int64_t weights = own ? 0 : kInceptionNumbers;
  for (const auto& [network, file] : base.files) weights += file.numbers;
  // Weights are read as fp16 beside their fp32.
  size.memory_bytes =
      kRuntimeBytes + weights * (kFloatBytes + 2) +
      size.trained_numbers * kFloatBytes * kCopiesWhileTuning +
      std::max(activations(run, base), own ? 0 : run.decode_batch * kInceptionActivations) +
      2 * size.feature_cache_bytes;
  return size;
}

std::int64_t prompt_numbers(const RunConfig& run, std::int64_t width, std::int64_t classes,
                            std::int64_t instances) {
  const std::int64_t length = run.prompt_length, told = knows_classes(run) ? classes : 1;
  const std::int64_t factors = run.prompt_kind == "factorised" ? run.factors : 1;
  std::int64_t numbers = 2 * width;  // scale and bias of the LayerNorm
  if (run.prompt_kind == "free") {
    numbers += told * length * width;
  } else {
    numbers += told * factors * width + length * width;
    if (run.prompt_kind == "factorised") numbers += length * factors;
  }
  if (knows_instances(run)) numbers += instances * factors * width;
  if (run.hidden_mapping) numbers += width * width + width;
  return numbers;
}

}  // namespace marquee::experiments
