#include "experiments/base_manifest.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/sha256.h"
#include "cluster/suggest.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uintmax_t kMaxManifestBytes = std::uintmax_t{4} << 20;
constexpr const char* kFeatures = "features";
const std::vector<std::string> kNetworks{"tokenizer", "transformer", kFeatures};

void check_plain_name(const std::string& name, const std::string& where) {
  if (!name.empty() && name.find('/') == std::string::npos && !name.starts_with(".")) return;
  cluster::throw_environment(where + " is '" + name + "'; expected a name without a folder");
}

template <typename Value>
Value required(const json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) cluster::throw_environment(where + ": key '" + key + "' is missing");
  try {
    return found->get<Value>();
  } catch (const json::exception&) {
    cluster::throw_environment(where + ": key '" + key + "' has the wrong type");
  }
}

}  // namespace

json to_json(const BaseManifest& manifest) {
  json files;
  for (const auto& [name, file] : manifest.files) {
    files[name] = {{"file", file.file},
                   {"sha256", file.sha256},
                   {"bytes", file.bytes},
                   {"numbers", file.numbers},
                   {"config", file.config}};
    if (file.from.empty()) continue;
    files[name]["from"] = file.from;
    files[name]["version"] = file.version;
  }
  return {{"name", manifest.name},
          {"version", manifest.version},
          {"files", files},
          {"provenance", manifest.provenance}};
}

BaseManifest load_base_manifest(const fs::path& assets_dir, std::string_view base) {
  BaseManifest manifest;
  manifest.folder = assets_dir / base;
  const fs::path path = manifest.folder / "manifest.json";
  if (!fs::exists(path)) {
    std::vector<std::string> there;
    std::error_code unreadable;
    for (const auto& entry : fs::directory_iterator(assets_dir, unreadable))
      if (fs::exists(entry.path() / "manifest.json"))
        there.push_back(entry.path().filename().string());
    std::sort(there.begin(), there.end());
    cluster::throw_environment("base model '" + std::string(base) + "' is not there" +
                               cluster::did_you_mean(base, there) + ": no " + path.string() +
                               " (name the assets folder with --assets)");
  }
  const json content = json::parse(cluster::read_file(path, kMaxManifestBytes), nullptr, false);
  if (!content.is_object()) cluster::throw_environment(path.string() + ": is no JSON object");
  manifest.name = required<std::string>(content, "name", path.string());
  manifest.version = required<std::string>(content, "version", path.string());
  manifest.provenance = content.value("provenance", json::object());
  const json files = required<json>(content, "files", path.string());
  for (const std::string& network : kNetworks) {
    const std::string where = path.string() + ": files." + network;
    if (network == kFeatures && !files.contains(kFeatures)) continue;
    const json entry = required<json>(files, network.c_str(), path.string() + ": files");
    WeightFile file{
        required<std::string>(entry, "file", where), required<std::string>(entry, "sha256", where),
        required<std::int64_t>(entry, "bytes", where),
        required<std::int64_t>(entry, "numbers", where), required<json>(entry, "config", where)};
    check_plain_name(file.file, where + ": 'file'");
    if (entry.contains("from")) {
      file.from = required<std::string>(entry, "from", where);
      file.version = required<std::string>(entry, "version", where);
      check_plain_name(file.from, where + ": 'from'");
    }
    if (!cluster::is_sha256_hex(file.sha256))
      cluster::throw_environment(where + ": sha256 is no hash of 64 hex digits");
    manifest.files[network] = std::move(file);
  }
  return manifest;
}

std::string network_family(const json& config, const std::string& where,
                           std::initializer_list<const char*> known) {
  const std::vector<std::string> names(known.begin(), known.end());
  if (!config.is_object() || !config.contains("family")) return names.front();
  const json& family = config.at("family");
  const auto named = family.is_string()
                         ? std::find(names.begin(), names.end(), family.get<std::string>())
                         : names.end();
  if (named != names.end()) return *named;
  cluster::throw_environment(where + ": 'family' is " + family.dump() + "; expected " +
                             cluster::join(names));
}

fs::path weight_path(const BaseManifest& manifest, const WeightFile& file) {
  return (file.from.empty() ? manifest.folder : manifest.folder.parent_path() / file.from) /
         file.file;
}

std::string transformer_family(const BaseManifest& manifest) {
  return network_family(manifest.files.at("transformer").config,
                        (manifest.folder / "manifest.json").string() + ": files.transformer.config",
                        {kMasked, kAutoregressive});
}

void verify_base(const BaseManifest& manifest) {
  for (const auto& [network, file] : manifest.files) {
    const fs::path path = weight_path(manifest, file);
    std::error_code error;
    const std::uintmax_t size = fs::file_size(path, error);
    if (error)
      cluster::throw_environment(path.string() + ": weights of the " + network + " are missing");
    if (size != static_cast<std::uintmax_t>(file.bytes)) {
      cluster::throw_environment(path.string() + ": is " + std::to_string(size) +
                                 " bytes, manifest.json says " + std::to_string(file.bytes) +
                                 " (weights damaged; restore the file)");
    }
    if (cluster::sha256_file(path) != file.sha256) {
      cluster::throw_environment(
          path.string() +
          ": SHA-256 differs from manifest.json (weights damaged; restore the file)");
    }
  }
}

void check_not_pretrained_on(const BaseManifest& manifest, const std::string& task) {
  if (!manifest.provenance.is_object()) return;
  const json seen = manifest.provenance.value("task", json());
  const bool pretrained_on =
      seen.is_array() ? std::find(seen.begin(), seen.end(), task) != seen.end() : seen == task;
  if (!pretrained_on) return;
  cluster::throw_usage("task '" + task + "' with base '" + manifest.name +
                       "': the base was pretrained on these images (" +
                       (manifest.folder / "manifest.json").string() +
                       ", provenance.task), so the result would say nothing about transfer");
}

namespace {

// Weights and sizes: not every size shows in the shapes of the weights.
std::string identity_of(const WeightFile& file) {
  return file.sha256 + " " + file.config.dump() + "\n";
}

}  // namespace

std::string base_hash(const BaseManifest& manifest) {
  return cluster::sha256_hex("base\n" + identity_of(manifest.files.at("tokenizer")) +
                             identity_of(manifest.files.at("transformer")));
}

std::string network_hash(const BaseManifest& manifest) {
  const auto features = manifest.files.find(kFeatures);
  if (features == manifest.files.end()) {
    cluster::throw_environment("base '" + manifest.name +
                               "' has no feature network: images can be made with it (marquee "
                               "sample), but not scored");
  }
  return cluster::sha256_hex("features\n" + identity_of(features->second));
}

std::string features_version(const BaseManifest& manifest) {
  const auto features = manifest.files.find(kFeatures);
  return features == manifest.files.end() || features->second.version.empty()
             ? manifest.version
             : features->second.version;
}

fs::path find_assets_dir(const fs::path& named) {
  if (!named.empty()) return named;
  const char* variable = std::getenv("MARQUEE_ASSETS");
  if (variable != nullptr && *variable != '\0') return variable;
  const fs::path program = cluster::executable_path().parent_path();
  const std::vector<fs::path> places{program / "../share/marquee/assets",
                                     program / "../../../assets"};
  std::vector<std::string> tried;
  for (const fs::path& place : places) {
    if (fs::is_directory(place)) return fs::canonical(place);
    tried.push_back(place.lexically_normal().string());
  }
  cluster::throw_environment("no assets folder found (looked at " + cluster::join(tried) +
                             "); name it with --assets or MARQUEE_ASSETS");
}

}  // namespace marquee::experiments
