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
using nlohmann::json;

constexpr const char* kInceptionKind = "inception";
constexpr const char* kScriptKind = "torchscript";
constexpr const char* kWeights = "weights.safetensors";
constexpr const char* kScript = "network.pt";
constexpr const char* kManifest = "manifest.json";

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

fs::path folder_of(const fs::path& assets, const std::string& name) {
  return assets / "features" / name;
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

json manifest_json(const FeatureManifest& manifest, const FeatureImport& import) {
  json content{{"name", manifest.name},
               {"kind", manifest.kind},
               {"sha256", manifest.sha256},
               {"source",
                {{"file", manifest.source_file},
                 {"sha256", manifest.source_sha256},
                 {"published_as", manifest.published_as}}}};
  if (manifest.kind == kScriptKind) {
    content["input"] = {{"side", import.script.side},
                        {"resize", std::string(name_of(import.script.resize))},
                        {"normalise", import.script.normalise}};
  }
  return content;
}

std::unique_ptr<FeatureNetwork> inception_of(const ParameterMap& weights, const std::string& source,
                                             const std::string& hash,
                                             const experiments::Protocol& protocol,
                                             torch::ScalarType compute) {
  const auto resize = resize_rule_named(protocol.resize);
  MARQUEE_CHECK(resize.has_value(), "protocol with an unknown resize rule");
  const InputRange range = protocol.range == "unit" ? InputRange::unit : InputRange::tensorflow;
  return inception_network(weights, source, hash, {*resize, range}, compute);
}

// What `make` gives of the manifest; its errors name the file.
template <typename Make>
std::unique_ptr<FeatureNetwork> from_manifest(const fs::path& folder, const Make& make) {
  constexpr std::size_t kMost = 1 << 20;
  const std::string text = cluster::read_file(folder / kManifest, kMost);
  try {
    return make(json::parse(text));
  } catch (const json::exception& error) {
    cluster::throw_environment((folder / kManifest).string() + ": " + error.what());
  }
}

fs::path checked_weights(const fs::path& folder, const json& manifest, const char* name) {
  const fs::path file = folder / name;
  if (cluster::sha256_file(file) != manifest.at("sha256").get<std::string>())
    cluster::throw_environment(file.string() + ": damaged: not the file that was imported");
  return file;
}

}  // namespace

FeatureManifest import_features(const FeatureImport& import, const fs::path& assets) {
  FeatureManifest manifest;
  manifest.name = import.name;
  manifest.kind = import.kind;
  manifest.folder = folder_of(assets, import.name);
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
  if (import.kind == kInceptionKind) {
    const WeightFile file = open_weight_file(import.file);
    manifest.sha256 = write_safetensors(staged.path() / kWeights, inception_tensors(file));
  } else {
    script_network(import.name, import.file.string(), manifest.source_sha256, import.script);
    cluster::write_file_durably(staged.path() / kScript,
                                cluster::read_file(import.file, fs::file_size(import.file)));
    manifest.sha256 = manifest.source_sha256;
  }
  cluster::write_file_durably(staged.path() / kManifest,
                              manifest_json(manifest, import).dump(2) + "\n");
  staged.commit();
  return manifest;
}

std::unique_ptr<FeatureNetwork> load_feature_network(const experiments::Protocol& protocol,
                                                     const fs::path& assets,
                                                     const std::string& named,
                                                     torch::ScalarType compute) {
  if (protocol.network == "mini") {
    const BaseModel base = load_base(experiments::load_base_manifest(assets, "mini"));
    return mini_network(base.feature_config, base.features, base.network_hash);
  }
  if (!named.empty() && fs::is_regular_file(named)) {
    const WeightFile file = open_weight_file(named);
    return inception_of(inception_tensors(file), named, cluster::sha256_file(named), protocol,
                        compute);
  }
  const fs::path folder = folder_of(assets, named.empty() ? kInceptionKind : named);
  if (!fs::exists(folder / kManifest)) {
    if (!named.empty()) {
      cluster::throw_environment(folder.string() +
                                 ": no feature network; `marquee import features FILE --name " +
                                 named + "` makes it one");
    }
    cluster::throw_environment(
        folder.string() + ": no feature network; protocol " + protocol.name +
        " needs the FID Inception: download pt_inception-2015-12-05-6726825d.pth, then run "
        "marquee import features FILE");
  }
  return from_manifest(folder, [&](const json& manifest) {
    if (manifest.at("kind") != kInceptionKind) {
      cluster::throw_usage(folder.string() + ": is no FID Inception, which protocol " +
                           protocol.name + " needs");
    }
    const fs::path weights = checked_weights(folder, manifest, kWeights);
    // Called by what was published, so that numbers made from the file itself are the same numbers.
    return inception_of(read_safetensors(weights), weights.string(),
                        manifest.at("source").at("sha256"), protocol, compute);
  });
}

std::unique_ptr<FeatureNetwork> find_script_network(const fs::path& assets,
                                                    const std::string& name) {
  const fs::path folder = folder_of(assets, name);
  if (!fs::exists(folder / kManifest)) return nullptr;
  return from_manifest(folder, [&](const json& manifest) -> std::unique_ptr<FeatureNetwork> {
    if (manifest.at("kind") != kScriptKind) return nullptr;
    const fs::path file = checked_weights(folder, manifest, kScript);
    const json& input = manifest.at("input");
    const auto resize = resize_rule_named(input.at("resize").get<std::string>());
    if (!resize) cluster::throw_environment(folder.string() + ": an unknown resize rule");
    return script_network(name, file.string(), manifest.at("sha256"),
                          {input.at("side"), *resize, input.at("normalise")});
  });
}

}  // namespace marquee::workers
