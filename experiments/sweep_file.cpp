#include "experiments/sweep_file.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_set>

#include "cluster/error.h"
#include "cluster/sha256.h"
#include "cluster/suggest.h"
#include "datasets/dataset_hash.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"
#include "experiments/yaml_source.h"

namespace marquee::experiments {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxRuns = 100'000;
constexpr std::size_t kMaxNameLength = 100;

// What every run of a grid must be given.
const std::vector<std::string>& required_axes() {
  static const std::vector<std::string> axes{"task", "shots", "method", "seed"};
  return axes;
}

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Keys of RunConfig that a sweep may set, without what only the program fills in.
const std::vector<std::string>& settable_keys() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> names;
    const json defaults = to_json(RunConfig{});
    for (const auto& [key, value] : defaults.items()) {
      if (!key.ends_with("_hash") && key != "numerics_version") names.push_back(key);
    }
    return names;
  }();
  return keys;
}

// Those that defaults and methods may set: the others are axes or have a place of their own.
std::vector<std::string> keys_of_defaults() {
  std::vector<std::string> keys = settable_keys();
  std::erase_if(
      keys, [](const std::string& key) { return key == "base" || contains(required_axes(), key); });
  return keys;
}

// Some keys chosen together, in as many ways as the vector is long; a grid is the product of its
// factors.
struct Factor {
  std::vector<std::string> keys;
  std::vector<std::vector<Setting>> choices;  // [way][key]
};

struct Pattern {
  YAML::Node place;
  std::vector<std::pair<std::string, std::vector<Setting>>> keys;
};

bool matches(const json& run, const Pattern& pattern) {
  return std::all_of(pattern.keys.begin(), pattern.keys.end(), [&](const auto& entry) {
    return std::any_of(entry.second.begin(), entry.second.end(), [&](const Setting& setting) {
      return run.at(entry.first) == setting.value;
    });
  });
}

class SweepReader {
 public:
  explicit SweepReader(const std::filesystem::path& path) : source_(path) {}

  SweepFile read(const std::string& subset) {
    const YAML::Node& root = source_.root();
    source_.check_keys(root, "sweep",
                       {"name", "base", "defaults", "methods", "matrix", "zip", "exclude",
                        "include", "subsets", "oracles", "simulate"});
    SweepFile sweep;
    sweep.name = read_name();
    sweep.sha256 = cluster::sha256_hex(source_.bytes());
    read_defaults();
    if (!root["matrix"] && !root["zip"] && !root["include"])
      source_.fail(root, "key 'matrix' is missing: lists of task, shots, method and seed");
    if (root["matrix"] || root["zip"]) expand(read_grid(), exclude_patterns());
    check_every_exclude_matched();
    if (root["include"]) read_include(root["include"]);
    select_subset(subset, sweep);
    if (source_.flag(root["oracles"], "oracles", true)) add_oracles();
    if (root["simulate"]) sweep.simulation = read_simulation(root["simulate"]);
    sweep.runs = std::move(runs_);
    return sweep;
  }

 private:
  std::string read_name() const {
    const YAML::Node node = source_.root()["name"];
    if (!node || !node.IsScalar() || node.Scalar().empty())
      source_.fail(node ? node : source_.root(),
                   "key 'name' is missing: a word that names the sweep");
    const std::string& name = node.Scalar();
    constexpr const char* kAllowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    if (name.size() > kMaxNameLength || name.find_first_not_of(kAllowed) != std::string::npos) {
      source_.fail(node, "'name' must be at most " + std::to_string(kMaxNameLength) +
                             " letters, digits, '_', '.' and '-'");
    }
    return name;
  }

  void read_defaults() {
    const YAML::Node& root = source_.root();
    if (root["base"]) defaults_["base"] = source_.setting("base", root["base"]);
    for (auto& entry : source_.settings(root["defaults"], "defaults", keys_of_defaults()))
      defaults_.insert(std::move(entry));
    if (const YAML::Node methods = root["methods"]) {
      source_.check_keys(methods, "methods", method_names());
      for (const auto& entry : methods) {
        const std::string method = entry.first.Scalar();
        methods_[method] = source_.settings(entry.second, "methods." + method, keys_of_defaults());
      }
    }
  }

  // The lists of a mapping as factors, the required axes first.
  std::vector<Factor> read_lists(const YAML::Node& node, const std::string& name,
                                 bool or_one) const {
    source_.check_keys(node, name, settable_keys());
    std::vector<Factor> factors;
    const auto add = [&](const std::string& key, const YAML::Node& list) {
      Factor factor;
      factor.keys = {key};
      for (Setting& setting : source_.setting_list(key, list, or_one))
        factor.choices.push_back({std::move(setting)});
      factors.push_back(std::move(factor));
    };
    for (const std::string& axis : required_axes()) {
      if (node[axis]) add(axis, node[axis]);
    }
    for (const auto& entry : node) {
      if (!contains(required_axes(), entry.first.Scalar())) add(entry.first.Scalar(), entry.second);
    }
    return factors;
  }

  Factor read_zip(const YAML::Node& node) const {
    source_.check_keys(node, "zip", settable_keys());
    if (node.size() == 0) source_.fail(node, "'zip' must hold lists of one length");
    Factor factor;
    for (const auto& entry : node) {
      const std::string key = entry.first.Scalar();
      std::vector<Setting> list = source_.setting_list(key, entry.second, /*or_one=*/false);
      if (factor.keys.empty()) factor.choices.resize(list.size());
      if (list.size() != factor.choices.size()) {
        source_.fail(entry.second,
                     "'" + key + "' has " + std::to_string(list.size()) + " entries; expected " +
                         std::to_string(factor.choices.size()) + " as '" + factor.keys.front() +
                         "' has: lists of a zip are walked "
                         "together");
      }
      factor.keys.push_back(key);
      for (std::size_t i = 0; i < list.size(); ++i) factor.choices[i].push_back(std::move(list[i]));
    }
    return factor;
  }

  std::vector<Factor> read_grid() const {
    const YAML::Node& root = source_.root();
    std::vector<Factor> factors;
    if (root["matrix"]) factors = read_lists(root["matrix"], "matrix", /*or_one=*/false);
    if (const YAML::Node zip = root["zip"]) {
      if (zip.IsSequence()) {
        for (const auto& entry : zip) factors.push_back(read_zip(entry));
      } else {
        factors.push_back(read_zip(zip));
      }
    }
    check_axes(factors, root["matrix"] ? root["matrix"] : root["zip"],
               "must be a list with at least one entry in 'matrix' or 'zip'");
    return factors;
  }

  // Every required axis once, nothing twice.
  void check_axes(const std::vector<Factor>& factors, const YAML::Node& place,
                  const std::string& wanted) const {
    std::set<std::string> seen;
    for (const Factor& factor : factors) {
      for (const std::string& key : factor.keys) {
        if (!seen.insert(key).second) source_.fail(place, "'" + key + "' is given twice");
      }
    }
    for (const std::string& axis : required_axes()) {
      if (seen.count(axis) == 0) source_.fail(place, "'" + axis + "' " + wanted);
    }
  }

  Pattern read_pattern(const YAML::Node& node, const std::string& name) const {
    source_.check_keys(node, name, settable_keys());
    if (node.size() == 0) source_.fail(node, "'" + name + "' must name a key");
    Pattern pattern{node, {}};
    for (const auto& entry : node) {
      const std::string key = entry.first.Scalar();
      pattern.keys.emplace_back(key, source_.setting_list(key, entry.second, /*or_one=*/true));
    }
    return pattern;
  }

  const std::vector<Pattern>& exclude_patterns() {
    if (const YAML::Node list = source_.root()["exclude"]) {
      source_.check_list(list, "exclude");
      for (const auto& entry : list) excludes_.push_back(read_pattern(entry, "exclude"));
      excluded_.resize(excludes_.size());
    }
    return excludes_;
  }

  void check_every_exclude_matched() const {
    if (source_.root()["exclude"] && excludes_.empty())
      source_.fail(source_.root()["exclude"], "'exclude' has no matrix to leave runs out of");
    for (std::size_t i = 0; i < excludes_.size(); ++i) {
      if (!excluded_[i]) fail_without_match(excludes_[i], "exclude");
    }
  }

  // Names the first key of the pattern that no run has a value of.
  [[noreturn]] void fail_without_match(const Pattern& pattern, const std::string& name) const {
    for (const auto& [key, settings] : pattern.keys) {
      const auto found = values_.find(key);
      if (found == values_.end()) continue;
      const std::vector<std::string> present(found->second.begin(), found->second.end());
      const bool any = std::any_of(settings.begin(), settings.end(), [&](const Setting& setting) {
        return found->second.count(text_of(setting.value)) != 0;
      });
      if (any) continue;
      source_.fail(settings.front().place,
                   "'" + name + "' matches no run: '" + key + "' is " +
                       text_of(settings.front().value) +
                       cluster::did_you_mean(text_of(settings.front().value), present) +
                       "; the sweep has " + cluster::join(present));
    }
    source_.fail(pattern.place, "'" + name + "' matches no run of the sweep");
  }

  static std::string text_of(const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  }

  void read_include(const YAML::Node& list) {
    source_.check_list(list, "include");
    for (const auto& entry : list) {
      const std::vector<Factor> factors = read_lists(entry, "include", /*or_one=*/true);
      check_axes(factors, entry, "must have a value in this entry of 'include'");
      expand(factors, {});
    }
  }

  // Keys of defaults and of the method; what an axis sets comes over it.
  const RunConfig& start_of(const std::string& method) {
    const auto known = starts_.find(method);
    if (known != starts_.end()) return known->second;
    RunConfig run;
    for (const auto& [key, setting] : defaults_) set_value(run, key, setting.value);
    if (const auto own = methods_.find(method); own != methods_.end()) {
      for (const auto& [key, setting] : own->second) set_value(run, key, setting.value);
    }
    return starts_.emplace(method, run).first->second;
  }

  void expand(const std::vector<Factor>& factors, const std::vector<Pattern>& excludes) {
    std::size_t total = 1;
    for (const Factor& factor : factors) {
      total *= factor.choices.size();
      if (total > kMaxRuns) fail_too_many(factor.choices.front().front().place);
    }
    std::vector<std::size_t> at(factors.size(), 0);
    for (std::size_t n = 0; n < total; ++n) {
      add_run(factors, at, excludes);
      for (std::size_t i = factors.size(); i-- > 0;) {
        if (++at[i] < factors[i].choices.size()) break;
        at[i] = 0;
      }
    }
  }

  void add_run(const std::vector<Factor>& factors, const std::vector<std::size_t>& at,
               const std::vector<Pattern>& excludes) {
    std::vector<std::pair<const std::string*, const Setting*>> chosen;
    const Setting* method = nullptr;
    const Setting* task = nullptr;
    for (std::size_t i = 0; i < factors.size(); ++i) {
      for (std::size_t k = 0; k < factors[i].keys.size(); ++k) {
        chosen.emplace_back(&factors[i].keys[k], &factors[i].choices[at[i]][k]);
        if (*chosen.back().first == "method") method = chosen.back().second;
        if (*chosen.back().first == "task") task = chosen.back().second;
      }
    }
    MARQUEE_CHECK(method != nullptr && task != nullptr, "a grid without method or task");
    RunConfig run = start_of(method->value.get<std::string>());
    for (const auto& [key, setting] : chosen) set_value(run, *key, setting->value);
    try {
      check_run(run);
    } catch (const cluster::Error& error) {
      Settings places = defaults_;
      for (const auto& [key, setting] : methods_[run.method]) places[key] = setting;
      for (const auto& [key, setting] : chosen) places[*key] = *setting;
      source_.fail_key(places, task->place, error.what());
    }
    if (!excludes.empty()) {
      const json content = to_json(run);
      for (const auto& [key, value] : content.items()) values_[key].insert(text_of(value));
      bool left_out = false;
      for (std::size_t i = 0; i < excludes.size(); ++i) {
        if (!matches(content, excludes[i])) continue;
        excluded_[i] = left_out = true;
      }
      if (left_out) return;
    }
    insert(run, task->place);
  }

  void insert(const RunConfig& run, const YAML::Node& place) {
    if (!seen_.insert(canonical_form(run)).second) return;
    if (runs_.size() == kMaxRuns) fail_too_many(place);
    runs_.push_back(run);
  }

  [[noreturn]] void fail_too_many(const YAML::Node& place) const {
    source_.fail(place, "the sweep has more than " + std::to_string(kMaxRuns) + " runs");
  }

  void select_subset(const std::string& subset, SweepFile& sweep) {
    const YAML::Node subsets = source_.root()["subsets"];
    std::optional<std::vector<RunConfig>> selected;
    if (subsets) {
      if (!subsets.IsMap()) source_.fail(subsets, "'subsets' must hold names and patterns");
      for (const auto& entry : subsets) {
        const std::string name = entry.first.Scalar();
        if (contains(sweep.subsets, name))
          source_.fail(entry.first, "subset '" + name + "' stands twice");
        sweep.subsets.push_back(name);
        std::vector<RunConfig> matching = runs_matching(read_pattern(entry.second, name), name);
        if (name == subset) selected = std::move(matching);
      }
    }
    if (subset.empty()) return;
    if (!selected) {
      source_.fail(subsets ? subsets : source_.root(),
                   "no subset '" + subset + "'" + cluster::did_you_mean(subset, sweep.subsets) +
                       (sweep.subsets.empty() ? "; the sweep defines none"
                                              : "; it has " + cluster::join(sweep.subsets)));
    }
    runs_ = std::move(*selected);
  }

  std::vector<RunConfig> runs_matching(const Pattern& pattern, const std::string& name) {
    std::vector<RunConfig> matching;
    values_.clear();
    for (const RunConfig& run : runs_) {
      const json content = to_json(run);
      if (matches(content, pattern)) matching.push_back(run);
      for (const auto& [key, settings] : pattern.keys)
        values_[key].insert(text_of(content.at(key)));
    }
    if (matching.empty()) fail_without_match(pattern, "subsets." + name);
    return matching;
  }

  // The two rows of every task that say what real images and the tokenizer alone score; they have
  // neither shots nor seed.
  void add_oracles() {
    const std::vector<RunConfig> runs = runs_;
    for (const RunConfig& run : runs) {
      for (const char* method : {"oracle_real", "oracle_reconstruction"}) {
        RunConfig oracle;
        oracle.task = run.task;
        oracle.shots = "full";
        oracle.method = method;
        oracle.base = run.base;
        oracle.profile = run.profile;
        oracle.protocol = run.protocol;
        oracle.samples = run.samples;
        oracle.threads = run.threads;
        oracle.compute = run.compute;
        oracle.checkpoint_interval = run.checkpoint_interval;
        insert(oracle, source_.root());
      }
    }
  }

  Simulation read_simulation(const YAML::Node& node) const {
    source_.check_keys(
        node, "simulate",
        {"seconds", "steps", "deadline_seconds", "files", "process_per_run", "faults"});
    Simulation simulation;
    const Simulation usual;
    simulation.seconds = source_.number(node["seconds"], "seconds", 0, 86400, usual.seconds);
    simulation.steps = source_.whole_number(node["steps"], "steps", 1, 1'000'000, usual.steps);
    simulation.deadline_seconds = source_.number(node["deadline_seconds"], "deadline_seconds", 0.1,
                                                 86400, usual.deadline_seconds);
    simulation.files = source_.flag(node["files"], "files", usual.files);
    simulation.process_per_run =
        source_.flag(node["process_per_run"], "process_per_run", usual.process_per_run);
    if (node["faults"]) {
      source_.check_list(node["faults"], "faults");
      for (const auto& entry : node["faults"])
        simulation.faults.push_back(read_simulated_fault(entry));
    }
    return simulation;
  }

  SimulatedFault read_simulated_fault(const YAML::Node& node) const {
    source_.check_keys(node, "faults", {"fault", "match", "attempts"});
    const std::vector<std::string>& names = simulated_fault_names();
    const std::string name =
        node["fault"] && node["fault"].IsScalar() ? node["fault"].Scalar() : "";
    if (!contains(names, name)) {
      source_.fail(node["fault"] ? node["fault"] : node,
                   "'fault' is '" + name + "'" + cluster::did_you_mean(name, names) +
                       "; expected one of " + cluster::join(names));
    }
    SimulatedFault fault;
    fault.fault = name;
    if (node["match"]) {
      for (const auto& [key, settings] : read_pattern(node["match"], "match").keys) {
        for (const Setting& setting : settings) fault.match[key].push_back(setting.value);
      }
    }
    if (const YAML::Node attempts = node["attempts"]) {
      source_.check_list(attempts, "attempts");
      for (const auto& entry : attempts)
        fault.attempts.push_back(source_.whole_number(entry, "attempts", 1, 1000, 1));
    }
    return fault;
  }

  YamlSource source_;
  Settings defaults_;
  std::map<std::string, Settings> methods_;
  std::map<std::string, RunConfig> starts_;  // by method
  std::vector<Pattern> excludes_;
  std::vector<bool> excluded_;                           // has left out a run
  std::map<std::string, std::set<std::string>> values_;  // of each key, among the runs looked at
  std::unordered_set<std::string> seen_;                 // canonical forms
  std::vector<RunConfig> runs_;
};

}  // namespace

SweepFile load_sweep(const std::filesystem::path& path, const std::string& subset) {
  SweepFile sweep = SweepReader(path).read(subset);
  sweep.file = path;
  return sweep;
}

void mark_simulated(SweepFile& sweep) {
  for (RunConfig& run : sweep.runs)
    run.base_hash = run.network_hash = run.data_hash = kSimulatedHash;
}

RunConfig load_run(const std::filesystem::path& path) {
  const YamlSource source(path);
  std::vector<std::string> keys;
  const json defaults = to_json(RunConfig{});
  for (const auto& [key, value] : defaults.items()) keys.push_back(key);
  RunConfig run;
  const Settings settings = source.settings(source.root(), "run", keys);
  for (const auto& [key, setting] : settings) set_value(run, key, setting.value);
  try {
    check_run(run);
  } catch (const cluster::Error& error) {
    source.fail_key(settings, source.root(), error.what());
  }
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
  // Each base and each task is read once, however many runs name it.
  std::map<std::pair<std::string, std::string>, RunConfig> known;
  for (RunConfig& run : sweep.runs) {
    const auto [entry, fresh] = known.try_emplace({run.base, run.task}, run);
    if (fresh) resolve_hashes(entry->second, assets_dir, data_dir);
    run.base_hash = entry->second.base_hash;
    run.network_hash = entry->second.network_hash;
    run.data_hash = entry->second.data_hash;
  }
}

}  // namespace marquee::experiments
