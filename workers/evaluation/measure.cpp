#include "workers/evaluation/measure.h"

#include <optional>
#include <set>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/log.h"
#include "cluster/sha256.h"
#include "cluster/suggest.h"
#include "cluster/text.h"
#include "workers/hdf5_file.h"
#include "workers/mapped_tensor.h"
#include "workers/weight_files/npz_file.h"
#include "workers/weight_files/npz_writer.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;

// Arrays of a statistics file of ours.
constexpr const char* kNetworkHash = "network_hash";
constexpr const char* kInputRule = "input_rule";

std::string size_text(const datasets::Image& image) {
  return std::to_string(image.width) + " x " + std::to_string(image.height);
}

std::string key_of(const std::string& content, const FeatureNetwork& network) {
  return cluster::sha256_hex("evaluation\n" + content + "\n" + network.hash() + "\n" +
                             network.input_rule() + "\nthreads " +
                             std::to_string(at::get_num_threads()));
}

// Outputs of the file that are wanted; empty when it lacks one or does not fit.
FeatureOutputs read_cached(const fs::path& file, const std::string& key,
                           const std::vector<std::string>& outputs, std::int64_t images) {
  if (!fs::exists(file)) return {};
  try {
    const Hdf5File h5 = open_sealed_hdf5(file);
    if (!h5.has_attribute("", "key") || h5.string_attribute("", "key") != key)
      cluster::throw_environment(file.string() + ": is not of these images");
    FeatureOutputs found;
    for (const std::string& name : outputs) {
      if (!h5.has("outputs/" + name)) return {};
      found[name] = h5.read_tensor("outputs/" + name);
      if (found[name].dim() != 2 || found[name].size(0) != images)
        cluster::throw_environment(file.string() + ": '" + name + "' does not fit");
    }
    return found;
  } catch (const cluster::Error& error) {
    cluster::log_warning("cache", std::string(error.what()) + "; made again");
    return {};
  }
}

FeatureOutputs computed(const ImageSource& source, const FeatureNetwork& network,
                        const std::vector<std::string>& outputs, const MeasureOptions& options,
                        const CountProgress& progress) {
  std::map<std::string, std::vector<Tensor>> parts;
  const auto total = static_cast<std::int64_t>(source.size());
  std::optional<datasets::Image> first;
  for (std::int64_t begin = 0; begin < total; begin += options.batch) {
    progress(begin, total);
    std::vector<datasets::Image> batch;
    for (std::int64_t i = begin; i < std::min(begin + options.batch, total); ++i) {
      const auto index = static_cast<std::size_t>(i);
      batch.push_back(source.image(index));
      if (!first) {
        first = batch.back();
        first->rgb.clear();
      }
      const bool same = batch.back().height == first->height && batch.back().width == first->width;
      if (!same && !options.mixed_sizes) {
        cluster::throw_environment(source.where(index) + ": is " + size_text(batch.back()) +
                                   ", the first image " + size_text(*first) +
                                   "; images of one size are expected (--mixed-sizes allows "
                                   "others)");
      }
    }
    for (auto& [name, values] : network.extract(batch, outputs)) {
      std::vector<Tensor>& before = parts[name];
      if (!before.empty() && before[0].size(1) != values.size(1)) {
        cluster::throw_environment("network " + network.name() + " gives " +
                                   std::to_string(values.size(1)) + " features for one batch, " +
                                   std::to_string(before[0].size(1)) + " for another");
      }
      before.push_back(values);
    }
  }
  progress(total, total);
  FeatureOutputs result;
  for (const auto& [name, values] : parts) result[name] = at::cat(values);
  return result;
}

analysis::FeatureStatistics pair_of(const WeightFile& file, const std::string& mean,
                                    const std::string& covariance) {
  const auto floating = [&](const std::string& name) {
    const Tensor values = mapped_tensor(file.tensor(name), file.memory());
    if (!values.is_floating_point()) {
      cluster::throw_environment(file.source + ": '" + name +
                                 "' is of whole numbers; float32 or float64 is expected");
    }
    return values.to(torch::kFloat64).clone();
  };
  analysis::FeatureStatistics statistics{floating(mean), floating(covariance)};
  const std::int64_t d = statistics.mean.numel();
  const bool fits = statistics.mean.dim() == 1 && statistics.covariance.dim() == 2 && d > 0 &&
                    statistics.covariance.size(0) == d && statistics.covariance.size(1) == d;
  if (!fits) {
    cluster::throw_environment(file.source + ": '" + mean + "' is " +
                               shape_text(file.tensor(mean).shape) + " and '" + covariance + "' " +
                               shape_text(file.tensor(covariance).shape) +
                               "; [d] and [d, d] are expected");
  }
  return statistics;
}

// UTF-8 as numbers: NumPy's own texts would be read by no C++ reader of numbers. Nothing where the
// file has no such array.
std::optional<std::string> text_of(const WeightFile& file, const char* name) {
  if (!file.tensors.contains(name)) return std::nullopt;
  const StoredTensor& stored = file.tensor(name);
  constexpr std::size_t kMost = 4096;
  std::string text;
  if (stored.type == ElementType::u8 && stored.shape.size() == 1)
    for (const std::string_view part : stored.parts) text += part.substr(0, kMost);
  if (text.empty() || text.size() > kMost || cluster::invalid_utf8(text)) {
    cluster::throw_environment(file.source + ": '" + name +
                               "' is no text: 1 to 4,096 numbers of type uint8 are expected");
  }
  return text;
}

void check_made_with(const WeightFile& file, const FeatureNetwork& network) {
  const auto check = [&](const char* name, const std::string& expected) {
    const auto stored = text_of(file, name);
    if (!stored || *stored == expected) return;
    cluster::throw_environment(file.source + ": statistics of another network: " + name + " is '" +
                               cluster::printable(*stored) + "', that of " + network.name() +
                               " here '" + expected + "'");
  };
  check(kNetworkHash, network.hash());
  check(kInputRule, network.input_rule());
}

}  // namespace

MeasuredSet measure(const ImageSource& source, const FeatureNetwork& network,
                    const std::vector<std::string>& outputs, const MeasureOptions& options,
                    const CountProgress& progress) {
  const torch::InferenceMode inference;
  MeasuredSet set;
  set.images = static_cast<std::int64_t>(source.size());
  if (options.identify || !options.cache.empty()) set.content_hash = content_hash(source);
  if (outputs.empty()) return set;
  if (options.cache.empty()) {
    set.outputs = computed(source, network, outputs, options, progress);
    return set;
  }
  const std::string key = key_of(set.content_hash, network);
  const fs::path file = options.cache / ("features-" + key.substr(0, 32) + ".h5");
  set.outputs = read_cached(file, key, outputs, set.images);
  if (!set.outputs.empty()) return set;
  set.outputs = computed(source, network, outputs, options, progress);
  cluster::create_directories_durably(options.cache);
  write_sealed_hdf5(file, [&](Hdf5File& h5) {
    h5.set_attribute("", "description",
                     "features of images that were evaluated, float32 [images, d] by output");
    h5.set_attribute("", "key", key);
    h5.set_attribute("", "network", network.name());
    h5.set_attribute("", "network_hash", network.hash());
    h5.set_attribute("", "input_rule", network.input_rule());
    for (const auto& [name, values] : set.outputs) h5.write_tensor("outputs/" + name, values);
  });
  return set;
}

bool holds_statistics(const fs::path& file) {
  const std::set<std::string> names = npz_names(file);
  return names.contains("mu") || names.contains("sigma");
}

MeasuredSet read_statistics(const fs::path& file, const std::string& name,
                            const FeatureNetwork* network) {
  const WeightFile arrays = open_npz(file);
  if (network != nullptr) check_made_with(arrays, *network);
  MeasuredSet set;
  set.content_hash = cluster::sha256_file(file);
  set.statistics[name] = pair_of(arrays, "mu", "sigma");
  if (arrays.tensors.contains("mu_s"))
    set.statistics[kSpatialOutput] = pair_of(arrays, "mu_s", "sigma_s");
  if (arrays.tensors.contains("n"))
    set.images = mapped_tensor(arrays.tensor("n"), arrays.memory()).item<std::int64_t>();
  return set;
}

void write_statistics(const fs::path& file, const MeasuredSet& set,
                      const experiments::Protocol& protocol, const FeatureNetwork& network) {
  std::map<std::string, Tensor> arrays;
  for (const auto& [name, features] : set.outputs) {
    const bool spatial = name == kSpatialOutput;
    if (!spatial && name != main_output(protocol)) continue;
    const analysis::FeatureStatistics statistics =
        analysis::feature_statistics(features, protocol.ddof);
    arrays[spatial ? "mu_s" : "mu"] = statistics.mean;
    arrays[spatial ? "sigma_s" : "sigma"] = statistics.covariance;
  }
  arrays["n"] = torch::tensor(set.images);
  const auto text = [](const std::string& value) {
    return torch::from_blob(const_cast<char*>(value.data()),
                            {static_cast<std::int64_t>(value.size())}, torch::kUInt8)
        .clone();
  };
  arrays[kNetworkHash] = text(network.hash());
  arrays[kInputRule] = text(network.input_rule());
  std::map<std::string, NpzArray> members;
  for (const auto& [name, tensor] : arrays) {
    const Tensor whole = tensor.contiguous();
    members[name] = {layout_of(whole),
                     std::string(static_cast<const char*>(whole.const_data_ptr()), whole.nbytes())};
  }
  write_npz(file, members);
}

}  // namespace marquee::workers
