#include "experiments/sweep_file.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "cluster/error.h"
#include "cluster/sha256.h"
#include "cluster/suggest.h"
#include "datasets/task.h"
#include "experiments/run_pattern.h"
#include "experiments/simulation_yaml.h"
#include "experiments/sweep_grid.h"
#include "experiments/yaml_source.h"

namespace marquee::experiments {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxRuns = 100'000;
constexpr std::size_t kMaxNameLength = 100;

// Names stand in tables, logs and commands: no spaces, nothing that a shell or terminal reads.
bool is_name(const std::string& text) {
  constexpr const char* kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  return !text.empty() && text.size() <= kMaxNameLength &&
         text.find_first_not_of(kAllowed) == std::string::npos;
}

std::string name_rule(const std::string& key) {
  return "'" + key + "' must be at most " + std::to_string(kMaxNameLength) +
         " letters, digits, '_', '.' and '-'";
}

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Those that defaults and methods may set: the others are axes or have a place of their own.
std::vector<std::string> keys_of_defaults() {
  std::vector<std::string> keys = settable_keys();
  std::erase_if(keys,
                [](const std::string& key) { return key == "base" || is_required_axis(key); });
  return keys;
}

class SweepReader {
 public:
  explicit SweepReader(const std::filesystem::path& path) : source_(path) {}

  SweepFile read(const std::string& subset) {
    const YAML::Node& root = source_.root();
    source_.check_keys(root, "sweep",
                       {"name", "base", "defaults", "methods", "tasks", "matrix", "zip", "exclude",
                        "include", "subsets", "oracles", "keep", "simulate"});
    SweepFile sweep;
    sweep.name = read_name();
    sweep.sha256 = cluster::sha256_hex(source_.bytes());
    read_defaults();
    if (!root["matrix"] && !root["zip"] && !root["include"])
      source_.fail(root, "key 'matrix' is missing: lists of task, shots, method and seed");
    read_excludes();
    if (root["matrix"] || root["zip"]) expand(read_grid(source_), &excludes_);
    excludes_.check_every_one_matched();
    if (root["include"]) read_include(root["include"]);
    select_subset(subset, sweep);
    if (runs_.empty()) source_.fail(root["exclude"], "'exclude' leaves out every run");
    if (source_.flag(root["oracles"], "oracles", true)) add_oracles();
    if (root["keep"]) read_keep(root["keep"], sweep.keep);
    if (root["simulate"]) sweep.simulation = read_simulation(source_, root["simulate"]);
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
    if (!is_name(name)) source_.fail(node, name_rule("name"));
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
    if (const YAML::Node tasks = root["tasks"]) {
      if (!tasks.IsMap()) source_.fail(tasks, "'tasks' must hold names of tasks and run keys");
      for (const auto& entry : tasks) {
        const std::string task = entry.first.Scalar();
        try {
          datasets::find_task(task);
        } catch (const cluster::Error& error) {
          source_.fail(entry.first, error.what());
        }
        tasks_[task] = source_.settings(entry.second, "tasks." + task, keys_of_defaults());
      }
    }
  }

  void read_excludes() {
    const YAML::Node list = source_.root()["exclude"];
    if (!list) return;
    source_.check_list(list, "exclude");
    for (const auto& entry : list)
      excludes_.add(read_pattern(source_, entry, "exclude"), "exclude");
    if (!source_.root()["matrix"] && !source_.root()["zip"])
      source_.fail(list, "'exclude' has no matrix to leave runs out of");
  }

  void read_include(const YAML::Node& list) {
    source_.check_list(list, "include");
    for (const auto& entry : list) expand(read_included_grid(source_, entry), nullptr);
  }

  // Where each key of a run comes from: defaults, the method's over them, the task's over both.
  Settings settings_of(const std::string& method, const std::string& task) const {
    Settings settings = defaults_;
    for (const auto* own : {&methods_, &tasks_}) {
      const auto found = own->find(own == &methods_ ? method : task);
      if (found == own->end()) continue;
      for (const auto& [key, setting] : found->second) settings[key] = setting;
    }
    return settings;
  }

  // What an axis sets comes over it.
  const RunConfig& start_of(const std::string& method, const std::string& task) {
    // Only the tasks that have keys of their own differ.
    const auto [start, fresh] = starts_.try_emplace({method, tasks_.contains(task) ? task : ""});
    if (fresh) {
      for (const auto& [key, setting] : settings_of(method, task))
        set_value(start->second, key, setting.value);
    }
    return start->second;
  }

  void expand(const Grid& grid, PatternSet* excludes) {
    std::size_t total = 1;
    for (const GridFactor& factor : grid) {
      total *= factor.choices.size();
      if (total > kMaxRuns) fail_too_many(factor.choices.front().front().place);
    }
    if (excludes != nullptr) excludes->check_effort(total);
    runs_.reserve(runs_.size() + total);
    std::vector<std::size_t> at(grid.size(), 0);
    for (std::size_t n = 0; n < total; ++n) {
      add_run(grid, at, excludes);
      for (std::size_t i = grid.size(); i-- > 0;) {
        if (++at[i] < grid[i].choices.size()) break;
        at[i] = 0;
      }
    }
  }

  void add_run(const Grid& grid, const std::vector<std::size_t>& at, PatternSet* excludes) {
    std::vector<std::pair<const std::string*, const Setting*>> chosen;
    const Setting* method = nullptr;
    const Setting* task = nullptr;
    for (std::size_t i = 0; i < grid.size(); ++i) {
      for (std::size_t k = 0; k < grid[i].keys.size(); ++k) {
        chosen.emplace_back(&grid[i].keys[k], &grid[i].choices[at[i]][k]);
        if (*chosen.back().first == "method") method = chosen.back().second;
        if (*chosen.back().first == "task") task = chosen.back().second;
      }
    }
    MARQUEE_CHECK(method != nullptr && task != nullptr, "a grid without method or task");
    RunConfig run = start_of(method->value.get<std::string>(), task->value.get<std::string>());
    for (const auto& [key, setting] : chosen) set_value(run, *key, setting->value);
    try {
      check_run(run);
    } catch (const cluster::Error& error) {
      Settings places = settings_of(run.method, run.task);
      for (const auto& [key, setting] : chosen) places[*key] = *setting;
      source_.fail_key(places, task->place, error.what());
    }
    const bool left_out =
        excludes != nullptr && !excludes->empty() && !excludes->match(run).empty();
    if (!left_out) insert(run, task->place);
  }

  void insert(const RunConfig& run, const YAML::Node& place) {
    if (!seen_.insert(identity_of(run)).second) return;
    if (runs_.size() == kMaxRuns) fail_too_many(place);
    runs_.push_back(run);
  }

  [[noreturn]] void fail_too_many(const YAML::Node& place) const {
    source_.fail(place, "the sweep has more than " + std::to_string(kMaxRuns) + " runs");
  }

  void select_subset(const std::string& subset, SweepFile& sweep) {
    const YAML::Node subsets = source_.root()["subsets"];
    PatternSet patterns(source_);
    if (subsets) {
      if (!subsets.IsMap()) source_.fail(subsets, "'subsets' must hold names and patterns");
      for (const auto& entry : subsets) {
        const std::string name = entry.first.Scalar();
        if (!is_name(name)) source_.fail(entry.first, name_rule("name of a subset"));
        sweep.subsets.push_back(name);
        patterns.add(read_pattern(source_, entry.second, name), "subsets." + name);
      }
      patterns.check_effort(runs_.size());
    }
    std::vector<RunConfig> selected;
    for (const RunConfig& run : runs_) {
      if (patterns.empty()) break;
      for (const std::size_t place : patterns.match(run)) {
        if (sweep.subsets[place] == subset) selected.push_back(run);
      }
    }
    patterns.check_every_one_matched();
    if (subset.empty()) return;
    if (!contains(sweep.subsets, subset)) {
      source_.fail(subsets ? subsets : source_.root(),
                   "no subset '" + subset + "'" + cluster::did_you_mean(subset, sweep.subsets) +
                       (sweep.subsets.empty() ? "; the sweep defines none"
                                              : "; it has " + cluster::join(sweep.subsets)));
    }
    runs_ = std::move(selected);
  }

  // What tells runs apart before their base and data have been looked at (drop_twins).
  static std::string identity_of(const RunConfig& run) {
    const json settings = autoregressive_settings(run);
    return run_id(run).text() + run.base + (settings.empty() ? "" : settings.dump()) +
           (run.epochs > 0 ? " " + std::to_string(run.epochs) : "");
  }

  // The two rows of every task that say what real images and the tokenizer alone score; they have
  // neither shots nor seed, and start with the first run that they stand beside.
  void add_oracles() {
    const std::vector<RunConfig> runs = runs_;
    constexpr std::size_t kNowhere = SIZE_MAX;
    std::unordered_map<std::string, std::size_t> places;  // in runs_, by identity
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
        oracle.decode = run.decode;
        oracle.on_bad_record = run.on_bad_record;
        oracle.threads = run.threads;
        oracle.compute = run.compute;
        oracle.checkpoint_interval = run.checkpoint_interval;
        oracle.priority = run.priority;
        oracle.slot_kind = run.slot_kind;
        const auto [known, fresh] = places.try_emplace(identity_of(oracle), runs_.size());
        if (fresh) insert(oracle, source_.root());
        // One that the matrix names has its place and its priority already.
        if (fresh && known->second == runs_.size()) known->second = kNowhere;
        if (fresh || known->second == kNowhere) continue;
        runs_[known->second].priority = std::max(runs_[known->second].priority, run.priority);
      }
    }
  }

  void read_keep(const YAML::Node& node, KeepPolicy& policy) const {
    source_.check_keys(node, "keep", keep_keys());
    for (const auto& entry : node) {
      const std::string key = entry.first.Scalar();
      if (!entry.second.IsScalar()) source_.fail(entry.second, "'" + key + "' must be one word");
      try {
        set_keep(policy, key, entry.second.Scalar());
      } catch (const cluster::Error& error) {
        source_.fail(entry.second, error.what());
      }
    }
  }

  YamlSource source_;
  Settings defaults_;
  std::map<std::string, Settings> methods_, tasks_;
  std::map<std::pair<std::string, std::string>, RunConfig> starts_;  // by method and task
  PatternSet excludes_{source_};
  std::unordered_set<std::string> seen_;  // identities of runs_
  std::vector<RunConfig> runs_;
};

}  // namespace

SweepFile load_sweep(const std::filesystem::path& path, const std::string& subset) {
  SweepFile sweep = SweepReader(path).read(subset);
  sweep.file = path;
  return sweep;
}

void mark_simulated(RunConfig& run) {
  run.base_hash = run.network_hash = run.data_hash = kSimulatedHash;
}

void mark_simulated(SweepFile& sweep) {
  for (RunConfig& run : sweep.runs) mark_simulated(run);
  drop_twins(sweep);
}

void drop_twins(SweepFile& sweep) {
  // Ids of a large sweep take a while; runs on one masked base without epochs and keys of the other
  // family have been told apart by theirs already.
  const auto apart = [&](const RunConfig& run) {
    return run.base == sweep.runs.front().base && run.family == RunConfig{}.family &&
           run.epochs == 0 && autoregressive_settings(run).empty();
  };
  if (std::all_of(sweep.runs.begin(), sweep.runs.end(), apart)) return;
  std::unordered_set<std::string> seen;
  std::erase_if(sweep.runs, [&](const RunConfig& run) {
    return !run.base_hash.empty() && !seen.insert(run_id(run).text()).second;
  });
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

}  // namespace marquee::experiments
