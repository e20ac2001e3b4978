#include "workers/runs/reference_images.h"

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/log.h"
#include "cluster/sha256.h"
#include "datasets/dataset.h"
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

std::vector<std::size_t> all_of(const datasets::Dataset& dataset) {
  std::vector<std::size_t> all(dataset.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

}  // namespace

Tensor test_features(const experiments::RunConfig& run, const BaseModel& base,
                     const std::filesystem::path& data_dir, const std::filesystem::path& cache,
                     const CountProgress& progress) {
  const torch::InferenceMode inference;
  const auto dataset = datasets::open_dataset(datasets::find_task(run.task), "test", data_dir);
  const std::string key = cluster::sha256_hex(
      "features\n" + run.task + "\n" + run.data_hash + "\ntest\n" + base.network_hash +
      "\ncenter crop, antialiased bilinear " + std::to_string(base.feature_config.image_size) +
      "\nnumerics " + std::to_string(run.numerics_version) + " threads " +
      std::to_string(run.threads));
  const std::filesystem::path file = cache / ("features-" + key.substr(0, 32) + ".h5");
  const auto count = static_cast<std::int64_t>(dataset->size());
  if (std::filesystem::exists(file)) {
    try {
      const Tensor features = open_sealed_hdf5(file).read_tensor("features");
      if (features.dim() == 2 && features.size(0) == count &&
          features.size(1) == base.feature_config.dimension())
        return features;
      cluster::throw_environment(file.string() + ": 'features' does not fit");
    } catch (const cluster::Error& error) {
      cluster::log_warning("cache", std::string(error.what()) + "; made again");
    }
  }
  std::vector<Tensor> parts;
  const std::vector<std::size_t> all = all_of(*dataset);
  for (std::int64_t first = 0; first < count; first += kBatch) {
    progress(first, count);
    parts.push_back(
        image_features(base.feature_config, base.features,
                       load_batch(*dataset, all, first, base.feature_config.image_size)));
  }
  const Tensor features = at::cat(parts);
  cluster::create_directories_durably(cache);
  write_sealed_hdf5(file, [&](Hdf5File& h5) {
    h5.set_attribute("", "description",
                     "features of a task's test images, float32 [images, d], stored order");
    h5.set_attribute("", "task", run.task);
    h5.set_attribute("", "network_hash", base.network_hash);
    h5.write_tensor("features", features);
  });
  return features;
}

OracleImages oracle_images(const experiments::RunConfig& run, const BaseModel& base,
                           const std::filesystem::path& data_dir, std::int64_t keep,
                           const CountProgress& progress) {
  const torch::InferenceMode inference;
  const bool reconstruct = run.method == "oracle_reconstruction";
  const auto dataset = datasets::open_dataset(datasets::find_task(run.task),
                                              reconstruct ? "test" : "train", data_dir);
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
