#include "workers/import/source_network.h"

#include <numeric>
#include <set>

#include "cluster/error.h"
#include "cluster/suggest.h"
#include "workers/mapped_tensor.h"

namespace marquee::workers {
namespace {

constexpr std::string_view kParams = "params/";
constexpr const char* kMaskGitLayout = "maskgit";
constexpr std::string_view kTransformer = "transformer.", kTokenizer = "first_stage_model.";

bool is_floating(ElementType type) {
  return type == ElementType::f32 || type == ElementType::f16 || type == ElementType::bf16 ||
         type == ElementType::f64;
}

SourceNetwork source_network_of(const WeightFile& file, const char* layout,
                                std::string_view prefix) {
  return {file.source, file.format, layout, std::string(prefix), file.file, file.memory(), {}};
}

// First parts of the names in a file, for a message.
std::string top_level_names(const WeightFile& file) {
  constexpr std::size_t kNamed = 8;
  std::set<std::string> names;
  for (const auto& [name, tensor] : file.tensors) {
    names.insert(name.substr(0, name.find_first_of("/.")));
    if (names.size() == kNamed) break;
  }
  return cluster::join({names.begin(), names.end()});
}

// What the published files hold beside the weights.
bool is_ignored(std::string_view name) {
  return name.starts_with("loss.") || name.ends_with(".attn.mask") ||
         name.ends_with(".num_batches_tracked");
}

}  // namespace

std::vector<std::int64_t> SourceTensor::shape() const {
  const std::vector<std::int64_t>& s = stored.shape;
  return hwio ? std::vector<std::int64_t>{s[3], s[2], s[0], s[1]} : s;
}

std::int64_t SourceTensor::numbers() const {
  return std::accumulate(stored.shape.begin(), stored.shape.end(), std::int64_t{1},
                         std::multiplies<>());
}

std::int64_t SourceNetwork::numbers() const {
  std::int64_t sum = 0;
  for (const auto& [name, tensor] : tensors) sum += tensor.numbers();
  return sum;
}

void SourceNetwork::check(const ShapeMap& expected) const {
  // In the words of the file: its names, its layout.
  ShapeMap stored, wanted;
  for (const auto& [name, tensor] : tensors) stored[tensor.name] = tensor.stored.shape;
  for (const auto& [name, shape] : expected) {
    const bool kernel = layout == kMaskGitLayout && shape.size() == 4;
    wanted[prefix + name] =
        kernel ? std::vector<std::int64_t>{shape[2], shape[3], shape[1], shape[0]} : shape;
  }
  check_shapes(stored, wanted, source);
  for (const auto& [name, tensor] : tensors) {
    if (is_floating(tensor.stored.type)) continue;
    cluster::throw_environment(source + ": tensor '" + tensor.name + "' is of type " +
                               std::string(safetensors_name(tensor.stored.type)) +
                               "; weights are floating numbers");
  }
}

Tensor SourceNetwork::load(const std::string& name, torch::ScalarType type) const {
  const SourceTensor& tensor = tensors.at(name);
  const Tensor stored = mapped_tensor(tensor.stored, memory);
  Tensor values = torch::empty(tensor.shape(), type);
  values.copy_(tensor.hwio ? stored.permute({3, 2, 0, 1}) : stored);
  if (file) {
    for (const std::string_view part : tensor.stored.parts) file->release(part);
  }
  if (!values.isfinite().all().item<bool>()) {
    cluster::throw_environment(source + ": tensor '" + tensor.name +
                               "' has values that are not finite in the type wanted");
  }
  return values;
}

SourceNetwork maskgit_network(const WeightFile& file) {
  SourceNetwork network = source_network_of(file, kMaskGitLayout, kParams);
  for (const auto& [name, stored] : file.tensors) {
    if (!name.starts_with(kParams)) continue;
    // Only convolutions have four axes.
    const bool kernel = stored.shape.size() == 4;
    network.tensors[name.substr(kParams.size())] = {stored, name, kernel};
  }
  if (network.tensors.empty()) {
    cluster::throw_environment(file.source + ": has no tensors below 'params' (it has " +
                               top_level_names(file) +
                               "): not a checkpoint of a MaskGIT tokenizer or transformer");
  }
  return network;
}

TamingNetworks taming_networks(const WeightFile& file) {
  // Parts of a whole model have a prefix; files of one network have none.
  const bool whole = std::any_of(file.tensors.begin(), file.tensors.end(), [](const auto& entry) {
    return entry.first.starts_with(kTransformer) || entry.first.starts_with(kTokenizer);
  });
  TamingNetworks networks{source_network_of(file, "taming", whole ? kTransformer : ""),
                          source_network_of(file, "taming", whole ? kTokenizer : "")};
  SourceNetwork& alone =
      file.tensors.contains("tok_emb.weight") ? networks.transformer : networks.tokenizer;
  for (const auto& [name, stored] : file.tensors) {
    std::string own = name;
    SourceNetwork* network = &alone;
    if (whole) {
      const bool transformer = name.starts_with(kTransformer);
      if (!transformer && !name.starts_with(kTokenizer)) {
        if (is_ignored(name)) continue;
        cluster::throw_environment(file.source + ": tensor '" + name +
                                   "' belongs neither to the transformer nor to the tokenizer");
      }
      own = name.substr((transformer ? kTransformer : kTokenizer).size());
      network = transformer ? &networks.transformer : &networks.tokenizer;
    }
    if (!is_ignored(own)) network->tensors[own] = {stored, name, false};
  }
  return networks;
}

}  // namespace marquee::workers
