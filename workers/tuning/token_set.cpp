#include "workers/tuning/token_set.h"

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/log.h"
#include "cluster/sha256.h"
#include "datasets/dataset.h"
#include "datasets/few_shot.h"
#include "datasets/resize.h"
#include "workers/hdf5_file.h"
#include "workers/image_tensor.h"

namespace marquee::workers {
namespace {

constexpr std::int64_t kBatch = 50;
constexpr const char* kResizeRule = "center crop, antialiased bilinear";

Tensor encode_images(const BaseModel& base, const std::vector<datasets::Image>& images) {
  return quantise(base.tokenizer, encode(base.tokenizer_config, base.tokenizer, to_tensor(images)))
      .ids;
}

TokenSet make_tokens(const datasets::Dataset& dataset, const std::vector<std::size_t>& chosen,
                     bool flip, const BaseModel& base, const CountProgress& progress) {
  const torch::InferenceMode inference;
  const auto size = static_cast<int>(base.tokenizer_config.image_size);
  const auto total = static_cast<std::int64_t>(chosen.size());
  std::vector<Tensor> plain, mirrored;
  for (std::int64_t first = 0; first < total; first += kBatch) {
    progress(first, total);
    std::vector<datasets::Image> images, flipped;
    for (std::int64_t i = first; i < std::min(total, first + kBatch); ++i) {
      images.push_back(
          datasets::center_crop_resize(dataset.image(chosen[static_cast<std::size_t>(i)]), size));
      if (flip) flipped.push_back(datasets::flip_horizontal(images.back()));
    }
    plain.push_back(encode_images(base, images));
    if (flip) mirrored.push_back(encode_images(base, flipped));
  }
  TokenSet tokens;
  tokens.ids = at::cat(plain);
  if (flip) tokens.flipped = at::cat(mirrored);
  return tokens;
}

bool read_tokens(const std::filesystem::path& file, std::int64_t count, bool flip,
                 const BaseModel& base, TokenSet& tokens) {
  if (!std::filesystem::exists(file)) return false;
  try {
    const Hdf5File h5 = open_sealed_hdf5(file);
    const std::int64_t side = base.transformer_config.tokens();
    const auto read = [&](const char* name) {
      const Tensor ids = h5.read_tensor(name).to(torch::kInt64);
      const bool fits =
          ids.dim() == 2 && ids.size(0) == count && ids.size(1) == side &&
          (ids >= 0).logical_and(ids < base.tokenizer_config.codebook).all().item<bool>();
      if (!fits) cluster::throw_environment(file.string() + ": '" + name + "' does not fit");
      return ids;
    };
    tokens.ids = read("ids");
    if (flip) tokens.flipped = read("flipped");
    return true;
  } catch (const cluster::Error& error) {
    cluster::log_warning("cache", std::string(error.what()) + "; made again");
    return false;
  }
}

}  // namespace

TokenSet load_tokens(const experiments::RunConfig& run, const BaseModel& base,
                     const std::filesystem::path& data_dir, const std::filesystem::path& cache,
                     const CountProgress& progress) {
  const datasets::TaskInfo& task = datasets::find_task(run.task);
  const auto dataset = datasets::open_dataset(task, datasets::split_for_shots(run.shots), data_dir);
  const std::vector<std::size_t> chosen = datasets::select_shots(*dataset, run.shots, run.seed);
  const bool flip = run.flip && task.flip;

  cluster::Sha256 key;
  key.update("tokens\n" + run.data_hash + "\n" + std::string(datasets::split_for_shots(run.shots)) +
             "\n" + base.base_hash + "\n" + kResizeRule + "\nnumerics " +
             std::to_string(run.numerics_version) + " threads " + std::to_string(run.threads) +
             " flip " + std::to_string(flip) + "\n");
  for (const std::size_t index : chosen) key.update(std::to_string(index) + "\n");
  const std::filesystem::path file = cache / ("tokens-" + key.hex().substr(0, 32) + ".h5");

  TokenSet tokens;
  if (!read_tokens(file, static_cast<std::int64_t>(chosen.size()), flip, base, tokens)) {
    tokens = make_tokens(*dataset, chosen, flip, base, progress);
    cluster::create_directories_durably(cache);
    write_sealed_hdf5(file, [&](Hdf5File& h5) {
      h5.set_attribute("", "description",
                       "token ids of a few-shot set, int32 [images, positions] in raster order; "
                       "'flipped' of the mirrored images");
      h5.set_attribute("", "task", run.task);
      h5.set_attribute("", "shots", run.shots);
      h5.write_tensor("ids", tokens.ids.to(torch::kInt32), true);
      if (flip) h5.write_tensor("flipped", tokens.flipped.to(torch::kInt32), true);
    });
  }
  tokens.classes = task.num_classes;
  tokens.labels = torch::empty({static_cast<std::int64_t>(chosen.size())}, torch::kInt64);
  for (std::size_t i = 0; i < chosen.size(); ++i)
    tokens.labels[static_cast<std::int64_t>(i)] = dataset->label(chosen[i]);
  return tokens;
}

}  // namespace marquee::workers
