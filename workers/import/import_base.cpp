#include "workers/import/import_base.h"

#include "cluster/build_info.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/sha256.h"
#include "cluster/staged_folder.h"
#include "workers/base_model.h"
#include "workers/import/infer_sizes.h"
#include "workers/mapped_tensor.h"
#include "workers/weight_files/safetensors_writer.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string_view view_of(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.data_ptr()), tensor.nbytes()};
}

json provenance_of(const SourceNetwork& network) {
  return {{"file", fs::path(network.source).filename().string()},
          {"sha256", cluster::sha256_file(network.source)},
          {"bytes", fs::file_size(network.source)},
          {"format", network.format},
          {"layout", network.layout}};
}

experiments::WeightFile write_network(const std::string& name, const SourceNetwork& network,
                                      torch::ScalarType type, const json& config,
                                      const json& provenance, const fs::path& folder) {
  experiments::WeightFile entry;
  std::map<std::string, TensorLayout> layouts;
  for (const auto& [key, tensor] : network.tensors) {
    layouts[key] = {type == torch::kBFloat16 ? ElementType::bf16 : ElementType::f32,
                    tensor.shape()};
  }
  entry.numbers = network.numbers();
  entry.file = name + ".safetensors";
  const fs::path path = folder / entry.file;
  SafetensorsWriter writer(path, layouts,
                           {{"source", provenance.dump()},
                            {"network", name},
                            {"config", config.dump()},
                            {"converter", std::to_string(kConverterVersion)}});
  for (const std::string& key : writer.order())
    writer.append(key, view_of(network.load(key, type)));
  entry.sha256 = writer.commit();
  entry.bytes = static_cast<std::int64_t>(fs::file_size(path));
  entry.config = config;
  return entry;
}

// Every number of the written file against the source.
void compare(const SourceNetwork& network, torch::ScalarType type, const fs::path& path) {
  const WeightFile written = open_weight_file(path);
  for (const auto& [name, tensor] : network.tensors) {
    const StoredTensor& stored = written.tensor(name);
    if (!torch::equal(mapped_tensor(stored, written.file), network.load(name, type))) {
      cluster::throw_environment(path.string() + ": tensor '" + name +
                                 "' reads back with other values than were written");
    }
    for (const std::string_view part : stored.parts) written.file->release(part);
  }
}

void check_options(const ImportRequest& request) {
  const bool taming = request.kind == experiments::kTaming;
  if (!taming && request.kind != experiments::kMaskGit) {
    cluster::throw_usage("--kind is '" + request.kind + "'; expected " + experiments::kMaskGit +
                         " or " + experiments::kTaming);
  }
  if (request.transformer.empty()) cluster::throw_usage("name the --transformer file");
  if (!taming && request.tokenizer.empty()) cluster::throw_usage("name the --tokenizer file");
  if (taming && request.heads < 1) {
    cluster::throw_usage(
        "the number of heads is visible in no weight: give --heads, n_head of the model's "
        "configuration file");
  }
  if (taming && request.classes < 1) cluster::throw_usage("give --classes, those of pretraining");
  if (!taming && (request.heads != 0 || request.classes != 0))
    cluster::throw_usage("--heads and --classes are for taming models; here the weights tell them");
}

void read_maskgit(CheckedImport& import, const KnownBase* known) {
  import.tokenizer = maskgit_network(open_weight_file(import.request.tokenizer));
  import.transformer = maskgit_network(open_weight_file(import.request.transformer));
  if (known != nullptr) {
    import.tokenizer_config = known->tokenizer;
    import.transformer_config = known->transformer;
    return;
  }
  // Everything but the grid is in the tokenizer's own file; the grid is the transformer's.
  const std::int64_t codebook = infer_maskgit_tokenizer(import.tokenizer, 1).codebook;
  const TransformerConfig transformer = infer_masked_transformer(import.transformer, codebook);
  import.tokenizer_config = infer_maskgit_tokenizer(import.tokenizer, transformer.latent);
  import.transformer_config = transformer;
}

void read_taming(CheckedImport& import, const KnownBase* known) {
  const ImportRequest& request = import.request;
  TamingNetworks networks = taming_networks(open_weight_file(request.transformer));
  import.transformer = std::move(networks.transformer);
  import.tokenizer = std::move(networks.tokenizer);
  if (!request.tokenizer.empty())
    import.tokenizer = taming_networks(open_weight_file(request.tokenizer)).tokenizer;
  if (import.transformer.tensors.empty())
    cluster::throw_environment(request.transformer.string() + ": holds no transformer");
  if (import.tokenizer.tensors.empty()) {
    cluster::throw_environment(import.tokenizer.source +
                               ": holds no tokenizer; name its file with --tokenizer");
  }
  if (known != nullptr) {
    GptConfig transformer = std::get<GptConfig>(known->transformer);
    transformer.heads = request.heads;
    if (transformer.width % request.heads != 0) {
      cluster::throw_usage("--heads " + std::to_string(request.heads) +
                           " does not divide the width " + std::to_string(transformer.width));
    }
    import.tokenizer_config = known->tokenizer;
    import.transformer_config = transformer;
    return;
  }
  const GptConfig transformer =
      infer_autoregressive_transformer(import.transformer, request.heads, request.classes);
  import.tokenizer_config = infer_taming_tokenizer(import.tokenizer, transformer.latent);
  import.transformer_config = transformer;
}

}  // namespace

CheckedImport check_import(const ImportRequest& request) {
  check_options(request);
  CheckedImport import;
  import.request = request;
  const KnownBase* known = find_known_base(request.name);
  if (request.kind == experiments::kTaming) {
    read_taming(import, known);
  } else {
    read_maskgit(import, known);
  }
  import.tokenizer.check(tokenizer_shapes(import.tokenizer_config));
  import.transformer.check(transformer_shapes(import.transformer_config));
  const std::int64_t codes = codebook_of(import.tokenizer_config),
                     fed = codebook_of(import.transformer_config);
  if (codes != fed) {
    cluster::throw_environment(import.transformer.source + ": is for " + std::to_string(fed) +
                               " codes, " + import.tokenizer.source + " has " +
                               std::to_string(codes));
  }
  return import;
}

experiments::BaseManifest write_import(const CheckedImport& import, const fs::path& assets) {
  const ImportRequest& request = import.request;
  const fs::path place = assets / request.name;
  cluster::StagedFolder staged(place);
  const KnownBase* known = find_known_base(request.name);
  const json transformer = provenance_of(import.transformer),
             tokenizer = import.tokenizer.source == import.transformer.source
                             ? transformer
                             : provenance_of(import.tokenizer);
  experiments::BaseManifest manifest;
  manifest.folder = staged.path();
  manifest.name = request.name;
  manifest.version = request.name + "-imported";
  manifest.provenance = {{"imported", {{"tokenizer", tokenizer}, {"transformer", transformer}}},
                         {"pretrained_on", known != nullptr ? json(known->pretrained_on) : json()},
                         {"converter", kConverterVersion},
                         {"commit", std::string(cluster::build_commit())},
                         {"made", cluster::utc_now()}};
  manifest.files["tokenizer"] =
      write_network("tokenizer", import.tokenizer, torch::kFloat32,
                    to_json(import.tokenizer_config), tokenizer, staged.path());
  manifest.files["transformer"] =
      write_network("transformer", import.transformer, request.type,
                    to_json(import.transformer_config), transformer, staged.path());
  compare(import.tokenizer, torch::kFloat32, staged.path() / "tokenizer.safetensors");
  compare(import.transformer, request.type, staged.path() / "transformer.safetensors");
  cluster::write_file_durably(staged.path() / "manifest.json",
                              experiments::to_json(manifest).dump(2) + "\n");
  staged.commit();
  manifest.folder = place;
  load_base(experiments::load_base_manifest(assets, request.name));
  return manifest;
}

}  // namespace marquee::workers
