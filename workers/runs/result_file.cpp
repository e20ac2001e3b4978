#include "workers/runs/result_file.h"

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/file_seal.h"
#include "cluster/sha256.h"
#include "workers/hdf5_file.h"
#include "workers/split_rows.h"
#include "workers/tuning/subjects.h"

namespace marquee::workers {
namespace {

using nlohmann::json;

constexpr const char* kClassCounts = "reference/class_counts";
constexpr const char* kTokens = "samples/tokens";

// uint8 [n, H, W, 3].
Tensor bytes_of(const std::vector<datasets::Image>& images) {
  if (images.empty()) return torch::empty({0, 0, 0, 3}, torch::kUInt8);
  Tensor bytes =
      torch::empty({static_cast<std::int64_t>(images.size()), images[0].height, images[0].width, 3},
                   torch::kUInt8);
  auto* out = bytes.data_ptr<std::uint8_t>();
  for (const datasets::Image& image : images)
    out = std::copy(image.rgb.begin(), image.rgb.end(), out);
  return bytes;
}

// Parameter names of an HDF5 group, with the slashes of nested groups.
void list_tensors(const Hdf5File& file, const std::string& group, const std::string& prefix,
                  ParameterMap& tensors) {
  for (const std::string& name : file.children(group)) {
    const std::string path = group + "/" + name;
    if (file.is_group(path)) {
      list_tensors(file, path, prefix + name + "/", tensors);
    } else {
      tensors[prefix + name] = file.read_tensor(path);
    }
  }
}

}  // namespace

std::string hash_tensors(const ParameterMap& tensors) {
  if (tensors.empty()) return "";
  cluster::Sha256 hash;
  for (const auto& [name, tensor] : tensors) {
    const Tensor values = tensor.detach().contiguous();
    hash.update(name + " " + json(values.sizes().vec()).dump() + "\n");
    hash.update(std::string_view(static_cast<const char*>(values.data_ptr()), values.nbytes()));
  }
  return hash.hex();
}

std::string write_result(const std::filesystem::path& path, const ResultContent& content) {
  cluster::StagedFile staged(path);
  Hdf5File file = Hdf5File::create(staged.staging_path());
  file.set_attribute("", "description",
                     "result of one run: metrics/<name> with standard error and counts as "
                     "attributes, curves/loss per step, "
                     "samples/{tokens,labels,images}, training/{rows,labels,ids} of the images "
                     "it was tuned on, trained/<tensor>, reference/class_counts where classes have "
                     "the shares of the reference split; config, fingerprint, "
                     "provenance, class_prior as JSON text");
  file.set_attribute("", "run_id", experiments::run_id(content.run).text());
  file.write_string("config", experiments::to_json(content.run).dump(2));
  file.write_string("fingerprint", content.record.fingerprint.dump(2));
  file.write_string("provenance", content.record.provenance.dump(2));
  file.write_string("class_prior", content.record.class_prior.dump());
  for (const experiments::MetricValue& metric : content.record.metrics) {
    const std::string name = "metrics/" + metric.metric;
    file.write_tensor(name, torch::tensor(metric.value, torch::kFloat64));
    if (metric.standard_error) file.set_attribute(name, "standard_error", *metric.standard_error);
    file.set_attribute(name, "n_generated", metric.n_generated);
    file.set_attribute(name, "n_reference", metric.n_reference);
    file.set_attribute(name, "protocol", metric.protocol);
    file.set_attribute(name, "network_hash", metric.network_hash);
  }
  if (!content.losses.empty())
    file.write_tensor("curves/loss",
                      torch::tensor(at::ArrayRef<double>(content.losses), torch::kFloat64), true);
  if (content.tokens.defined()) file.write_tensor(kTokens, content.tokens.to(torch::kInt32), true);
  if (content.labels.defined())
    file.write_tensor("samples/labels", content.labels.to(torch::kInt32), true);
  file.write_tensor("samples/images", bytes_of(content.images), true);
  if (!content.training.rows.empty()) {
    file.write_tensor("training/rows", rows_tensor(content.training.rows), true);
    file.write_tensor("training/labels", content.training.labels.to(torch::kInt32), true);
    file.write_strings("training/ids", content.training.names);
    file.set_attribute("training", "split", content.training.split);
  }
  if (!content.class_counts.empty())
    file.write_tensor(kClassCounts, torch::tensor(content.class_counts), true);
  for (const auto& [name, tensor] : content.trained) file.write_tensor("trained/" + name, tensor);
  file.close();
  const std::string seal = cluster::seal_file(staged.staging_path());
  cluster::check_seal(staged.staging_path());
  const Tensor first = Hdf5File::open_read(staged.staging_path())
                           .read_tensor("metrics/" + content.record.metrics.at(0).metric);
  MARQUEE_CHECK(first.item<double>() == content.record.metrics[0].value,
                path.string() + ": reads back another value than was written");
  staged.commit();
  return seal;
}

StoredResult read_result(const std::filesystem::path& path) {
  const Hdf5File file = open_sealed_hdf5(path);
  const json config = json::parse(file.read_string("config"), nullptr, /*allow_exceptions=*/false);
  StoredResult result{experiments::run_config_from_json(config), {}, {}, {}};
  if (file.has("trained")) list_tensors(file, "trained", "", result.trained);
  if (file.has("training/labels"))
    result.training_labels = file.read_tensor("training/labels").to(torch::kInt64);
  if (file.has(kClassCounts)) {
    result.class_counts =
        class_counts_from(file.read_tensor(kClassCounts), experiments::num_classes(result.run),
                          path.string() + ": " + kClassCounts);
  }
  return result;
}

Tensor read_tokens(const std::filesystem::path& path) {
  const Hdf5File file = open_sealed_hdf5(path);
  if (!file.has(kTokens))
    cluster::throw_usage(path.string() + ": is an oracle row; it has real images and made none");
  const Tensor tokens = file.read_tensor(kTokens).to(torch::kInt64);
  if (tokens.dim() != 2 || tokens.size(0) == 0)
    cluster::throw_environment(path.string() + ": '" + kTokens + "' is not [n, N]");
  return tokens;
}

bool is_result(const std::filesystem::path& path) {
  const Hdf5File file = Hdf5File::open_read(path);
  return file.has("config") && file.has("samples") && file.has("metrics");
}

}  // namespace marquee::workers
