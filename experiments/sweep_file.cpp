#include "experiments/sweep_file.h"

#include <algorithm>
#include <map>
#include <set>

#include <yaml-cpp/yaml.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/sha256.h"
#include "cluster/suggest.h"
#include "datasets/dataset_hash.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"

namespace marquee::experiments {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kMaxSweepBytes = std::uintmax_t{1} << 20;
constexpr std::size_t kMaxRuns = 100'000;

class Source {
 public:
  explicit Source(const std::filesystem::path& path)
      : path_(path), bytes_(cluster::read_file(path, kMaxSweepBytes)) {}

  YAML::Node parse() const {
    try {
      YAML::Node root = YAML::Load(bytes_);
      if (!root.IsMap()) fail(root, "expected keys and values");
      return root;
    } catch (const YAML::Exception& error) {
      cluster::throw_usage(path_.string() + ":" + std::to_string(error.mark.line + 1) + ": " +
                           error.msg);
    }
  }
  const std::string& bytes() const { return bytes_; }

  [[noreturn]] void fail(const YAML::Node& node, const std::string& what) const {
    cluster::throw_usage(path_.string() + ":" + std::to_string(node.Mark().line + 1) + ": " + what);
  }
  // Refuses keys of the mapping that are not in `valid`, and keys that stand there twice.
  void check_keys(const YAML::Node& node, const std::string& name,
                  const std::vector<std::string>& valid) const {
    if (!node.IsMap()) fail(node, "'" + name + "' must hold keys and values");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (std::find(valid.begin(), valid.end(), key) == valid.end()) {
        fail(entry.first, "unknown key '" + key + "' in '" + name + "'" +
                              cluster::did_you_mean(key, valid) + "; expected one of " +
                              cluster::join(valid));
      }
      if (!seen.insert(key).second)
        fail(entry.first, "key '" + key + "' stands twice in '" + name + "'");
    }
  }

 private:
  std::filesystem::path path_;
  std::string bytes_;
};

// A YAML scalar in the JSON type that RunConfig's key of that name has.
json scalar(const Source& source, const std::string& key, const YAML::Node& node) {
  static const json defaults = to_json(RunConfig{});
  const json& like = defaults.at(key);
  if (!node.IsScalar()) source.fail(node, "'" + key + "' must be one value");
  try {
    if (like.is_boolean()) return node.as<bool>();
    if (like.is_number_unsigned()) return node.as<std::uint64_t>();
    if (like.is_number_integer()) return node.as<int>();
    if (like.is_number_float()) return node.as<double>();
  } catch (const YAML::Exception&) {
    source.fail(node, "'" + key + "' is '" + node.Scalar() + "'; expected " +
                          (like.is_boolean()        ? "true or false"
                           : like.is_number_float() ? "a number"
                                                    : "a whole number"));
  }
  return node.Scalar();
}

// Keys of RunConfig that a file may set, without what only the program fills in.
std::vector<std::string> settable_keys() {
  std::vector<std::string> keys;
  const json defaults = to_json(RunConfig{});
  for (const auto& [key, value] : defaults.items()) {
    if (!key.ends_with("_hash") && key != "numerics_version") keys.push_back(key);
  }
  return keys;
}

using Values = std::map<std::string, std::pair<json, YAML::Node>>;

Values values_of(const Source& source, const YAML::Node& node, const std::string& name,
                 const std::vector<std::string>& valid) {
  Values values;
  if (!node) return values;
  source.check_keys(node, name, valid);
  for (const auto& entry : node) {
    const std::string key = entry.first.Scalar();
    values[key] = {scalar(source, key, entry.second), entry.second};
  }
  return values;
}

// check_run with the place of the offending key in front, as far as the file named it.
void check_at(const Source& source, const RunConfig& run, const Values& values,
              const YAML::Node& fallback) {
  try {
    check_run(run);
  } catch (const cluster::Error& error) {
    const std::string text = error.what();
    for (const auto& [key, value] : values) {
      if (text.find("'" + key + "' is") != std::string::npos) source.fail(value.second, text);
    }
    source.fail(fallback, text);
  }
}

}  // namespace

SweepFile load_sweep(const std::filesystem::path& path) {
  const Source source(path);
  const YAML::Node root = source.parse();
  source.check_keys(root, "sweep", {"name", "base", "defaults", "matrix", "methods", "oracles"});
  SweepFile sweep;
  sweep.file = path;
  sweep.sha256 = cluster::sha256_hex(source.bytes());
  if (!root["name"] || !root["name"].IsScalar() || root["name"].Scalar().empty())
    source.fail(root, "key 'name' is missing: a word that names the sweep");
  sweep.name = root["name"].Scalar();

  const std::vector<std::string> axes{"task", "shots", "method", "seed"};
  std::vector<std::string> settable = settable_keys();
  std::erase_if(settable, [&](const std::string& key) {
    return std::find(axes.begin(), axes.end(), key) != axes.end() || key == "base";
  });
  const Values defaults = values_of(source, root["defaults"], "defaults", settable);
  std::map<std::string, Values> per_method;
  if (const YAML::Node methods = root["methods"]) {
    source.check_keys(methods, "methods", method_names());
    for (const auto& entry : methods)
      per_method[entry.first.Scalar()] =
          values_of(source, entry.second, "methods." + entry.first.Scalar(), settable);
  }

  const YAML::Node matrix = root["matrix"];
  if (!matrix) source.fail(root, "key 'matrix' is missing: lists of task, shots, method and seed");
  source.check_keys(matrix, "matrix", axes);
  std::vector<std::vector<std::pair<json, YAML::Node>>> lists;
  for (const std::string& axis : axes) {
    const YAML::Node list = matrix[axis];
    if (!list || !list.IsSequence() || list.size() == 0)
      source.fail(list ? list : matrix,
                  "'" + axis + "' must be a list with at least one entry in 'matrix'");
    lists.emplace_back();
    for (const auto& entry : list) lists.back().emplace_back(scalar(source, axis, entry), entry);
  }
  if (lists[0].size() * lists[1].size() * lists[2].size() * lists[3].size() > kMaxRuns) {
    source.fail(matrix, "the matrix has more than " + std::to_string(kMaxRuns) + " runs");
  }

  std::set<std::string> seen;
  const auto add = [&](const json& content, const Values& values, const YAML::Node& place) {
    const RunConfig run = run_config_from_json(content);
    check_at(source, run, values, place);
    if (seen.insert(canonical_form(run)).second) sweep.runs.push_back(run);
  };
  json common = json::object();
  if (root["base"]) common["base"] = scalar(source, "base", root["base"]);
  for (const auto& [key, value] : defaults) common[key] = value.first;
  for (const auto& task : lists[0]) {
    for (const auto& shots : lists[1]) {
      for (const auto& method : lists[2]) {
        for (const auto& seed : lists[3]) {
          json content = common;
          Values values = defaults;
          if (const auto found = per_method.find(method.first.get<std::string>());
              found != per_method.end()) {
            for (const auto& [key, value] : found->second)
              content[key] = value.first, values[key] = value;
          }
          const std::pair<json, YAML::Node>* const chosen[] = {&task, &shots, &method, &seed};
          for (std::size_t i = 0; i < axes.size(); ++i)
            content[axes[i]] = chosen[i]->first, values[axes[i]] = *chosen[i];
          add(content, values, task.second);
        }
      }
    }
  }
  const bool oracles = !root["oracles"] || scalar(source, "flip", root["oracles"]).get<bool>();
  for (const auto& task : lists[0]) {
    for (const char* method : {"oracle_real", "oracle_reconstruction"}) {
      if (!oracles) continue;
      json content = common;
      content.update({{"task", task.first}, {"shots", "full"}, {"method", method}, {"seed", 0}});
      add(content, defaults, task.second);
    }
  }
  return sweep;
}

RunConfig load_run(const std::filesystem::path& path) {
  const Source source(path);
  const YAML::Node root = source.parse();
  std::vector<std::string> keys;
  const json defaults = to_json(RunConfig{});
  for (const auto& [key, value] : defaults.items()) keys.push_back(key);
  const Values values = values_of(source, root, "run", keys);
  json content = json::object();
  for (const auto& [key, value] : values) content[key] = value.first;
  const RunConfig run = run_config_from_json(content);
  check_at(source, run, values, root);
  return run;
}

void resolve_hashes(RunConfig& run, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir) {
  const BaseManifest manifest = load_base_manifest(assets_dir, run.base);
  run.base_hash = base_hash(manifest);
  run.network_hash = network_hash(manifest);
  run.data_hash = datasets::dataset_content_hash(datasets::find_task(run.task), data_dir);
}

void resolve_hashes(SweepFile& sweep, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir) {
  for (RunConfig& run : sweep.runs) resolve_hashes(run, assets_dir, data_dir);
}

}  // namespace marquee::experiments
