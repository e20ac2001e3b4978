#include "workers/runs/reference_images.h"

#include <functional>
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
#include "workers/split_rows.h"

namespace marquee::workers {
namespace {

// Images of a split, batch by batch; what cannot be read is left out where the run says so.
class SplitReader {
 public:
  SplitReader(const datasets::Dataset& dataset, const datasets::DataFolder& data,
              std::int64_t batch)
      : dataset_(dataset), data_(data), batch_(batch), skipped_(dataset.skipped()) {}

  // Calls each(image) for `most` images of `rows`, and batch_done() behind those of a batch.
  void read(const std::vector<std::size_t>& rows, std::size_t most, const CountProgress& progress,
            const std::function<void(const datasets::Image&)>& each,
            const std::function<void()>& batch_done) {
    const auto total = static_cast<std::int64_t>(std::min(most, rows.size()));
    std::int64_t waiting = 0;
    for (std::size_t i = 0; i < rows.size() && rows_.size() < most; ++i) {
      if (waiting == 0) progress(static_cast<std::int64_t>(rows_.size()), total);
      std::string reason;
      const auto image = image_or_skip(dataset_, rows[i], data_, reason);
      if (!image) {
        skipped_.push_back(reason);
        continue;
      }
      each(*image);
      rows_.push_back(rows[i]);
      if (++waiting < batch_) continue;
      batch_done();
      waiting = 0;
    }
    if (waiting > 0) batch_done();
    if (rows_.empty()) cluster::throw_environment("no image of the split can be read");
  }

  const std::vector<std::size_t>& rows() const { return rows_; }  // those that could be read
  const std::vector<std::string>& skipped() const { return skipped_; }

 private:
  const datasets::Dataset& dataset_;
  const datasets::DataFolder& data_;
  std::int64_t batch_;
  std::vector<std::size_t> rows_;
  std::vector<std::string> skipped_;
};

std::unique_ptr<datasets::Dataset> open_split(const experiments::RunConfig& run,
                                              const std::string& split,
                                              const datasets::DataFolder& data) {
  return datasets::open_dataset(datasets::find_task(run.task), split, data);
}

Tensor features_of(SplitReader& reader, const std::vector<std::size_t>& rows, std::size_t most,
                   const Measure& measure, const CountProgress& progress) {
  std::vector<Tensor> inputs;
  FeatureParts parts;
  reader.read(
      rows, most, progress,
      [&](const datasets::Image& image) { inputs.push_back(measure.network.input(image)); },
      [&] {
        parts.add(measure.network.outputs(measure.network.stacked(inputs), {measure.output}));
        inputs.clear();
      });
  return parts.all().at(measure.output);
}

std::vector<std::size_t> first_of(std::size_t count) {
  std::vector<std::size_t> places(count);
  std::iota(places.begin(), places.end(), std::size_t{0});
  return places;
}

std::string feature_key(const experiments::RunConfig& run, const std::string& split,
                        const std::string& part, const Measure& measure) {
  return cluster::sha256_hex(
      "features\n" + run.task + "\n" + run.data_hash + "\n" + split + part + "\n" +
      measure.network.hash() + " " + measure.output + "\n" + measure.network.input_rule() +
      "\nnumerics " + std::to_string(run.numerics_version) + " threads " +
      std::to_string(run.threads) + (run.decode == "accurate" ? "" : "\ndecode " + run.decode) +
      (run.on_bad_record == "refuse" ? "" : "\nbad records skipped"));
}

// False when the file is not there or does not fit.
bool read_features(const std::filesystem::path& file, const datasets::Dataset& dataset,
                   std::size_t most, SplitFeatures& result) {
  if (!std::filesystem::exists(file)) return false;
  try {
    const Hdf5File h5 = open_sealed_hdf5(file);
    result.features = h5.read_tensor("features");
    const auto rows = rows_from(h5.read_tensor("rows"), dataset.size(), file.string());
    result.skipped = h5.read_strings("skipped");
    const std::size_t count = std::min(most, dataset.size());
    const bool fits = result.features.dim() == 2 &&
                      result.features.size(0) == static_cast<std::int64_t>(rows.size()) &&
                      (rows.size() == count || !result.skipped.empty()) && !rows.empty();
    if (!fits) cluster::throw_environment(file.string() + ": 'features' does not fit");
    result.labels = labels_at(dataset, rows);
    return true;
  } catch (const cluster::Error& error) {
    cluster::log_warning("cache", std::string(error.what()) + "; made again");
    return false;
  }
}

}  // namespace

SplitFeatures split_features(const experiments::RunConfig& run, const std::string& split,
                             std::size_t most, const Measure& measure,
                             const datasets::DataFolder& data, const CountProgress& progress) {
  const torch::InferenceMode inference;
  const auto dataset = open_split(run, split, data);
  const bool all = most >= dataset->size();
  const std::string key =
      feature_key(run, split, all ? "" : " first " + std::to_string(most), measure);
  const std::filesystem::path file = data.cache / ("features-" + key.substr(0, 32) + ".h5");
  SplitFeatures result;
  if (read_features(file, *dataset, most, result)) return result;
  SplitReader reader(*dataset, data, measure.network.batch());
  result.features = features_of(reader, first_of(dataset->size()), most, measure, progress);
  result.labels = labels_at(*dataset, reader.rows());
  result.skipped = reader.skipped();
  cluster::create_directories_durably(data.cache);
  write_sealed_hdf5(file, [&](Hdf5File& h5) {
    h5.set_attribute("", "description",
                     "features of the images of a split, float32 [images, d], stored order; rows: "
                     "their places in the split; skipped: records left out, with the reasons");
    h5.set_attribute("", "split", split);
    h5.set_attribute("", "task", run.task);
    h5.set_attribute("", "network_hash", measure.network.hash());
    h5.set_attribute("", "input_rule", measure.network.input_rule());
    h5.write_tensor("features", result.features);
    h5.write_tensor("rows", rows_tensor(reader.rows()), true);
    h5.write_strings("skipped", result.skipped);
  });
  return result;
}

Tensor training_features(const experiments::RunConfig& run, const TokenSet& tokens,
                         const Measure& measure, const datasets::DataFolder& data,
                         const CountProgress& progress) {
  const torch::InferenceMode inference;
  const auto dataset = open_split(run, tokens.split, data);
  SplitReader reader(*dataset, data, measure.network.batch());
  return features_of(reader, tokens.rows, tokens.rows.size(), measure, progress);
}

std::vector<std::int64_t> reference_class_counts(const experiments::RunConfig& run, int classes,
                                                 const datasets::DataFolder& data) {
  std::vector<std::int64_t> counts;
  const auto dataset = open_split(run, run.reference, data);
  for (const int label : datasets::labels_of(*dataset)) {
    if (label < 0 || label >= classes) continue;
    counts.resize(static_cast<std::size_t>(classes), 0);
    ++counts[static_cast<std::size_t>(label)];
  }
  return counts;
}

OracleImages oracle_images(const experiments::RunConfig& run, const BaseModel& base,
                           const FeatureNetwork& network, const std::vector<std::string>& outputs,
                           const datasets::DataFolder& data, std::int64_t keep,
                           const CountProgress& progress) {
  const torch::InferenceMode inference;
  const bool reconstruct = run.method == "oracle_reconstruction";
  const datasets::TaskInfo& task = datasets::find_task(run.task);
  const auto dataset = open_split(
      run, reconstruct ? run.reference : datasets::largest_train_split(task, data.path), data);
  cluster::PhiloxStream stream(run.seed, cluster::Purpose::oracle);
  const std::vector<std::size_t> order = cluster::permutation(stream, dataset->size());

  OracleImages oracle;
  FeatureParts features;
  std::vector<datasets::Image> squares;
  std::vector<Tensor> inputs;
  const auto size = static_cast<int>(base.tokenizer.image_size());
  SplitReader reader(*dataset, data, network.batch());
  reader.read(
      order, static_cast<std::size_t>(run.samples), progress,
      [&](const datasets::Image& image) {
        squares.push_back(datasets::center_crop_resize(image, size));
        if (!reconstruct) inputs.push_back(network.input(image));
      },
      [&] {
        Tensor images = to_tensor(squares);
        if (reconstruct) {
          images = base.tokenizer.decode(base.tokenizer.encode(images));
          features.add(network.extract_decoded(images, outputs));
        } else {
          features.add(network.outputs(network.stacked(inputs), outputs));
        }
        append_images(images, keep, oracle.images);
        squares.clear();
        inputs.clear();
      });
  oracle.features = features.all();
  oracle.labels = labels_at(*dataset, reader.rows());
  oracle.skipped = reader.skipped();
  return oracle;
}

}  // namespace marquee::workers
