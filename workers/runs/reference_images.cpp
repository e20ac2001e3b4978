#include "workers/runs/reference_images.h"

#include <numeric>

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

constexpr std::int64_t kBatch = 100;

// Decoded, cropped and resized images of a batch, float [B, 3, S, S].
Tensor load_batch(const datasets::Dataset& dataset, const std::vector<std::size_t>& chosen,
                  std::int64_t first, std::int64_t size) {
  std::vector<datasets::Image> images;
  const auto total = static_cast<std::int64_t>(chosen.size());
  for (std::int64_t i = first; i < std::min(total, first + kBatch); ++i) {
    images.push_back(datasets::center_crop_resize(
        dataset.image(chosen[static_cast<std::size_t>(i)]), static_cast<int>(size)));
  }
  return to_tensor(images);
}

Tensor features_of(const datasets::Dataset& dataset, const std::vector<std::size_t>& chosen,
                   const BaseModel& base, const CountProgress& progress) {
  std::vector<Tensor> parts;
  const auto count = static_cast<std::int64_t>(chosen.size());
  for (std::int64_t first = 0; first < count; first += kBatch) {
    progress(first, count);
    parts.push_back(
        image_features(base.feature_config, base.features,
                       load_batch(dataset, chosen, first, base.feature_config.image_size)));
  }
  return at::cat(parts);
}

std::vector<std::size_t> first_of(std::size_t count) {
  std::vector<std::size_t> places(count);
  std::iota(places.begin(), places.end(), std::size_t{0});
  return places;
}

}  // namespace

SplitFeatures split_features(const experiments::RunConfig& run, const std::string& split,
                             std::size_t most, const BaseModel& base,
                             const std::filesystem::path& data_dir,
                             const std::filesystem::path& cache, const CountProgress& progress) {
  const torch::InferenceMode inference;
  const auto dataset = datasets::open_dataset(datasets::find_task(run.task), split, data_dir);
  std::vector<int> labels = datasets::labels_of(*dataset);
  const bool all = most >= labels.size();
  if (!all) labels.resize(most);
  SplitFeatures result;
  result.labels = torch::tensor(at::ArrayRef<int>(labels), torch::kInt64);
  const std::string key = cluster::sha256_hex(
      "features\n" + run.task + "\n" + run.data_hash + "\n" + split +
      (all ? "" : " first " + std::to_string(most)) + "\n" + base.network_hash +
      "\ncenter crop, antialiased bilinear " + std::to_string(base.feature_config.image_size) +
      "\nnumerics " + std::to_string(run.numerics_version) + " threads " +
      std::to_string(run.threads));
  const std::filesystem::path file = cache / ("features-" + key.substr(0, 32) + ".h5");
  const auto count = static_cast<std::int64_t>(labels.size());
  if (std::filesystem::exists(file)) {
    try {
      result.features = open_sealed_hdf5(file).read_tensor("features");
      if (result.features.dim() == 2 && result.features.size(0) == count &&
          result.features.size(1) == base.feature_config.dimension())
        return result;
      cluster::throw_environment(file.string() + ": 'features' does not fit");
    } catch (const cluster::Error& error) {
      cluster::log_warning("cache", std::string(error.what()) + "; made again");
    }
  }
  result.features = features_of(*dataset, first_of(labels.size()), base, progress);
  cluster::create_directories_durably(cache);
  write_sealed_hdf5(file, [&](Hdf5File& h5) {
    h5.set_attribute("", "description",
                     "features of the images of a split, float32 [images, d], stored order");
    h5.set_attribute("", "split", split);
    h5.set_attribute("", "task", run.task);
    h5.set_attribute("", "network_hash", base.network_hash);
    h5.write_tensor("features", result.features);
  });
  return result;
}

Tensor training_features(const experiments::RunConfig& run, const BaseModel& base,
                         const std::filesystem::path& data_dir, const CountProgress& progress) {
  const torch::InferenceMode inference;
  const auto dataset = datasets::open_dataset(datasets::find_task(run.task),
                                              datasets::split_for_shots(run.shots), data_dir);
  return features_of(*dataset, datasets::select_shots(*dataset, run.shots, run.seed), base,
                     progress);
}

OracleImages oracle_images(const experiments::RunConfig& run, const BaseModel& base,
                           const std::filesystem::path& data_dir, std::int64_t keep,
                           const CountProgress& progress) {
  const torch::InferenceMode inference;
  const bool reconstruct = run.method == "oracle_reconstruction";
  const auto dataset = datasets::open_dataset(datasets::find_task(run.task),
                                              reconstruct ? run.reference : "train", data_dir);
  cluster::PhiloxStream stream(run.seed, cluster::Purpose::oracle);
  std::vector<std::size_t> chosen = cluster::permutation(stream, dataset->size());
  chosen.resize(std::min(chosen.size(), static_cast<std::size_t>(run.samples)));
  const auto total = static_cast<std::int64_t>(chosen.size());

  OracleImages oracle;
  std::vector<Tensor> features;
  for (std::int64_t first = 0; first < total; first += kBatch) {
    progress(first, total);
    Tensor images = load_batch(*dataset, chosen, first, base.tokenizer_config.image_size);
    if (reconstruct) {
      const Quantised quantised =
          quantise(base.tokenizer, encode(base.tokenizer_config, base.tokenizer, images));
      images = rounded_to_levels(
          decode_vectors(base.tokenizer_config, base.tokenizer, quantised.vectors));
    }
    features.push_back(image_features(base.feature_config, base.features, images));
    append_images(images, keep, oracle.images);
  }
  oracle.features = at::cat(features);
  oracle.labels = torch::empty({total}, torch::kInt64);
  for (std::int64_t i = 0; i < total; ++i)
    oracle.labels[i] = dataset->label(chosen[static_cast<std::size_t>(i)]);
  return oracle;
}

}  // namespace marquee::workers
