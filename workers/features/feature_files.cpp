#include "workers/features/feature_files.h"

#include <array>

#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/sha256.h"
#include "cluster/staged_folder.h"
#include "experiments/base_manifest.h"
#include "workers/base_model.h"
#include "workers/mapped_tensor.h"
#include "workers/safetensors.h"
#include "workers/weight_files/weight_file.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;
using experiments::FeatureManifest;
using experiments::kInceptionNetwork;
using experiments::kTorchScriptNetwork;
using nlohmann::json;

// Files that the field's tools fetch, by the beginning of their SHA-256, which stands in their
// names.
struct Published {
  const char* prefix;
  const char* what;
};
constexpr std::array kPublished{
    Published{"6726825d", "pt_inception-2015-12-05-6726825d.pth (pytorch-fid, torch-fidelity)"}};

std::string published_as(const std::string& sha256) {
  for (const Published& known : kPublished)
    if (sha256.starts_with(known.prefix)) return known.what;
  return "";
}

// Tensors of the network alone, under its own names.
ParameterMap inception_tensors(const WeightFile& file) {
  ParameterMap tensors;
  for (const auto& [name, stored] : file.tensors) {
    if (name.ends_with(".num_batches_tracked")) continue;
    if (stored.type != ElementType::f32)
      cluster::throw_environment(file.source + ": tensor '" + name + "' is not float32");
    tensors[name] = mapped_tensor(stored, file.memory());
    if (!tensors[name].isfinite().all().item<bool>())
      cluster::throw_environment(file.source + ": tensor '" + name + "' is not finite");
  }
  check_parameters(tensors, inception_shapes(), file.source);
  return tensors;
}

std::unique_ptr<FeatureNetwork> inception_of(const ParameterMap& weights, const std::string& source,
                                             const std::string& hash,
                                             const experiments::Protocol& protocol,
                                             torch::ScalarType compute) {
  const auto resize = resize_rule_named(protocol.resize);
  MARQUEE_CHECK(resize.has_value(), "protocol with an unknown resize rule");
  const InputRange range = protocol.range == "unit" ? InputRange::unit : InputRange::tensorflow;
  return inception_network(weights, source, hash, {*resize, range, protocol.crop}, compute);
}

ScriptInput script_input_of(const FeatureManifest& manifest) {
  const json& input = manifest.input;
  try {
    const auto resize = resize_rule_named(input.at("resize").get<std::string>());
    if (!resize) cluster::throw_environment(manifest.folder.string() + ": an unknown resize rule");
    return {input.at("side"), *resize, input.at("normalise")};
  } catch (const json::exception& error) {
    cluster::throw_environment((manifest.folder / "manifest.json").string() + ": " + error.what());
  }
}

std::unique_ptr<FeatureNetwork> network_of(const BaseModel& base) {
  return mini_network(base.feature_config, base.features, base.network_hash);
}

}  // namespace

FeatureManifest import_features(const FeatureImport& import, const fs::path& assets) {
  FeatureManifest manifest;
  manifest.name = import.name;
  manifest.kind = import.kind;
  manifest.folder = experiments::feature_folder(assets, import.name);
  manifest.source_file = import.file.filename().string();
  manifest.source_sha256 = cluster::sha256_file(import.file);
  manifest.published_as = published_as(manifest.source_sha256);
  if (manifest.published_as.empty() && !import.trusted) {
    cluster::throw_usage(
        import.file.string() + ": its SHA-256 is " + manifest.source_sha256 +
        ", which is none of the published files; numbers made with it are those of no other tool. "
        "--trust imports it all the same, recorded by this hash");
  }
  cluster::StagedFolder staged(manifest.folder);
  const fs::path weights = staged.path() / manifest.weights().filename();
  if (import.kind == kInceptionNetwork) {
    const WeightFile file = open_weight_file(import.file);
    manifest.sha256 = write_safetensors(weights, inception_tensors(file));
  } else {
    script_network(import.name, import.file.string(), manifest.source_sha256, import.script);
    cluster::write_file_durably(weights,
                                cluster::read_file(import.file, fs::file_size(import.file)));
    manifest.sha256 = manifest.source_sha256;
    manifest.input = {{"side", import.script.side},
                      {"resize", std::string(name_of(import.script.resize))},
                      {"normalise", import.script.normalise}};
  }
  cluster::write_file_durably(staged.path() / "manifest.json",
                              experiments::to_json(manifest).dump(2) + "\n");
  staged.commit();
  return manifest;
}

std::unique_ptr<FeatureNetwork> load_feature_network(const experiments::Protocol& protocol,
                                                     const fs::path& assets,
                                                     const std::string& named,
                                                     torch::ScalarType compute) {
  if (protocol.network == experiments::kMiniNetwork)
    return network_of(load_base(experiments::load_base_manifest(assets, "mini")));
  if (!named.empty() && fs::is_regular_file(named)) {
    const WeightFile file = open_weight_file(named);
    return inception_of(inception_tensors(file), named, cluster::sha256_file(named), protocol,
                        compute);
  }
  const FeatureManifest manifest =
      experiments::load_feature_manifest(assets, named.empty() ? kInceptionNetwork : named);
  if (manifest.kind != kInceptionNetwork) {
    cluster::throw_usage(manifest.folder.string() + ": is no FID Inception, which protocol " +
                         protocol.name + " needs");
  }
  experiments::verify_features(manifest);
  return inception_of(read_safetensors(manifest.weights()), manifest.weights().string(),
                      manifest.hash(), protocol, compute);
}

std::unique_ptr<FeatureNetwork> network_of_run(const experiments::RunConfig& run,
                                               const BaseModel& base, const fs::path& assets) {
  const experiments::Protocol& protocol = experiments::protocol_named(run.protocol);
  return protocol.network == experiments::kMiniNetwork
             ? network_of(base)
             : load_feature_network(protocol, assets, "", torch::kFloat32);
}

std::unique_ptr<FeatureNetwork> find_script_network(const fs::path& assets,
                                                    const std::string& name) {
  if (!fs::exists(experiments::feature_folder(assets, name))) return nullptr;
  const FeatureManifest manifest = experiments::load_feature_manifest(assets, name);
  if (manifest.kind != kTorchScriptNetwork) return nullptr;
  experiments::verify_features(manifest);
  return script_network(name, manifest.weights().string(), manifest.hash(),
                        script_input_of(manifest));
}

}  // namespace marquee::workers
