#include "experiments/sweep_inputs.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "datasets/dataset_hash.h"
#include "datasets/image_counts.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"
#include "experiments/feature_manifest.h"
#include "experiments/protocols.h"

namespace marquee::experiments {
namespace {

using datasets::DataSummary;

// Throws usage for what the layout of the data does not have.
void check_layout(const RunConfig& run, const DataSummary& data) {
  if (!data.only_thousand) return;
  const std::string where = "task '" + run.task + "' is there as a VTAB-1k folder: ";
  if (trains(run) && run.shots != "vtab1k")
    cluster::throw_usage(where + "shots must be vtab1k, not " + run.shots);
  if (run.reference == "val")
    cluster::throw_usage(where + "reference must be test or val200, not val");
}

// Throws usage for what the family of the base cannot do.
void check_family(const RunConfig& run, const BaseManifest& base) {
  if (run.method != "prompt" || run.marquee == "none") return;
  if (transformer_family(base) != kAutoregressive) return;
  cluster::throw_usage("'marquee' is '" + run.marquee + "' with base '" + base.name +
                       "': the marquee header moves prompts from step to step of iterative "
                       "decoding; an autoregressive base reads them once");
}

bool measures_itself(const BaseManifest& base) {
  return base.files.contains("features");
}

// The protocol that the run is measured by. A base's own network gives it its name, `vtab` stands
// in for it where a base has none.
std::string protocol_of(const RunConfig& run, const BaseManifest& base) {
  if (protocol_named(run.protocol).network != kMiniNetwork) return run.protocol;
  if (!measures_itself(base)) return kVtabProtocol;
  const std::string version = features_version(base);
  const Protocol* own = find_protocol(version);
  return own != nullptr && own->network == kMiniNetwork ? version : run.protocol;
}

void check_samples(const RunConfig& run, const BaseManifest& base) {
  const Protocol& protocol = protocol_named(protocol_of(run, base));
  if (is_oracle(run) || run.samples >= fewest_images(protocol)) return;
  cluster::throw_usage("'samples' is " + std::to_string(run.samples) + ": protocol " +
                       protocol.name + " needs at least " +
                       std::to_string(fewest_images(protocol)));
}

void check_inputs(const RunConfig& run, const BaseManifest& base, const DataSummary& data) {
  check_layout(run, data);
  check_family(run, base);
  check_samples(run, base);
}

// Images that a run may be tuned on, by task; each is counted once.
class TrainingImages {
 public:
  explicit TrainingImages(std::filesystem::path data) : folder_(std::move(data)) {}
  std::int64_t count(const RunConfig& run) {
    const auto [entry, fresh] = all_.try_emplace(run.task);
    if (fresh) entry->second = datasets::count_images(datasets::find_task(run.task), folder_).train;
    return datasets::images_of_shots(run.shots, num_classes(run), entry->second);
  }

 private:
  std::filesystem::path folder_;
  std::map<std::string, std::int64_t> all_;
};

// As the official trainer counts: an epoch is as many whole batches as the images fill, at least
// one.
void set_steps(RunConfig& run, TrainingImages& images) {
  if (run.epochs == 0 || !trains(run)) return;
  const std::int64_t steps = run.epochs * std::max<std::int64_t>(1, images.count(run) / run.batch);
  if (steps > kMaxSteps) {
    cluster::throw_usage("'epochs' is " + std::to_string(run.epochs) + ": makes " +
                         std::to_string(steps) + " steps; expected at most " +
                         std::to_string(kMaxSteps));
  }
  run.steps = static_cast<int>(steps);
}

// What measures by a protocol.
std::string measuring_hash(const std::string& protocol, const BaseManifest& base,
                           const std::filesystem::path& assets) {
  if (protocol_named(protocol).network == kMiniNetwork) return network_hash(base);
  const FeatureManifest manifest = load_feature_manifest(assets, kInceptionNetwork);
  verify_features(manifest);
  return manifest.hash();
}

// `network`: the hash of what measures by the run's protocol.
void set_inputs(RunConfig& run, const BaseManifest& base, const DataSummary& data,
                const std::string& network, TrainingImages& images) {
  run.base_hash = base_hash(base);
  run.protocol = protocol_of(run, base);
  run.network_hash = network;
  run.family = transformer_family(base);
  run.data_hash = data.hash;
  // Where the task says it, it stands in no configuration.
  run.num_classes = datasets::find_task(run.task).num_classes > 0 ? 0 : data.num_classes;
  run.numerics_version = kNumericsVersion;
  set_steps(run, images);
}

struct RunInputs {
  BaseManifest base;
  DataSummary data;
};

RunInputs inputs_of(const RunConfig& run, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir) {
  BaseManifest base = load_base_manifest(assets_dir, run.base);
  check_not_pretrained_on(base, run.task);
  return {std::move(base), datasets::summarise_data(datasets::find_task(run.task), data_dir)};
}

class Inputs {
 public:
  Inputs(std::filesystem::path assets, std::filesystem::path data)
      : assets_(std::move(assets)), folder_(std::move(data)), images_(folder_) {}

  void resolve(RunConfig& run) {
    const std::optional<BaseManifest>& base = base_of(run.base);
    const DataSummary& data = data_of(run.task);
    if (!base) return;
    const std::string& network = network_of(run, *base);
    if (data.hash.empty() || network.empty() || !may_run(*base, run.task) ||
        !fits(run, *base, data))
      return;
    set_inputs(run, *base, data, network, images_);
  }

  std::vector<MissingInput> missing;

 private:
  const std::optional<BaseManifest>& base_of(const std::string& name) {
    const auto [entry, fresh] = bases_.try_emplace(name);
    if (!fresh) return entry->second;
    try {
      BaseManifest manifest = load_base_manifest(assets_, name);
      verify_base(manifest);
      entry->second = std::move(manifest);
    } catch (const cluster::Error& error) {
      missing.push_back({"base", name, error.what(),
                         "restore assets/" + name +
                             " from the repository, make it with marquee pretrain or marquee "
                             "import, or name the folder above it with --assets",
                         error.kind()});
    }
    return entry->second;
  }

  // Empty where it is missing.
  const std::string& network_of(const RunConfig& run, const BaseManifest& base) {
    const std::string protocol = protocol_of(run, base);
    const bool own = protocol_named(protocol).network == kMiniNetwork;
    const auto [entry, fresh] = networks_.try_emplace(own ? base.name : "");
    if (!fresh) return entry->second;
    try {
      entry->second = measuring_hash(protocol, base, assets_);
    } catch (const cluster::Error& error) {
      missing.push_back({"network", kInceptionNetwork, "protocol " + protocol + ": " + error.what(),
                         "bring the network there, or take a base with one of its own",
                         error.kind()});
    }
    return entry->second;
  }

  const DataSummary& data_of(const std::string& task) {
    const auto [entry, fresh] = data_.try_emplace(task);
    if (!fresh) return entry->second;
    try {
      entry->second = datasets::summarise_data(datasets::find_task(task), folder_);
    } catch (const cluster::Error& error) {
      missing.push_back({"data", task, error.what(), remedy_for(task), error.kind()});
    }
    return entry->second;
  }

  std::string remedy_for(const std::string& task) const {
    if (folder_.empty()) return "name the folder of data sets with --data";
    const bool own = datasets::find_task(task).group == datasets::TaskGroup::own;
    return (own ? "put the images there"
                : "prepare the data set with TFDS below " + folder_.string() +
                      " (docs/data.md has the command)") +
           std::string(", or leave the task out of the sweep");
  }

  bool fits(const RunConfig& run, const BaseManifest& base, const DataSummary& data) {
    try {
      check_inputs(run, base, data);
      return true;
    } catch (const cluster::Error& error) {
      if (refused_.insert(error.what()).second) {
        missing.push_back({"data", run.task, error.what(),
                           "change the sweep, or name other data or another base", error.kind()});
      }
      return false;
    }
  }

  bool may_run(const BaseManifest& base, const std::string& task) {
    const auto [entry, fresh] = allowed_.try_emplace({base.name, task}, true);
    if (!fresh) return entry->second;
    try {
      check_not_pretrained_on(base, task);
    } catch (const cluster::Error& error) {
      entry->second = false;
      missing.push_back({"task", task, error.what(),
                         "leave the task out of the sweep, or take another base", error.kind()});
    }
    return entry->second;
  }

  std::filesystem::path assets_, folder_;
  TrainingImages images_;
  std::map<std::string, std::optional<BaseManifest>> bases_;
  std::map<std::string, std::string> networks_;  // hashes, by base; "": the FID Inception
  std::map<std::string, DataSummary> data_;      // by task
  std::set<std::string> refused_;
  std::map<std::pair<std::string, std::string>, bool> allowed_;
};

}  // namespace

std::vector<MissingInput> resolve_what_is_there(SweepFile& sweep,
                                                const std::filesystem::path& assets_dir,
                                                const std::filesystem::path& data_dir) {
  Inputs inputs(assets_dir, data_dir);
  for (RunConfig& run : sweep.runs) inputs.resolve(run);
  drop_twins(sweep);
  return std::move(inputs.missing);
}

void resolve_hashes(RunConfig& run, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir) {
  std::vector<RunConfig> one{run};
  resolve_hashes(one, assets_dir, data_dir);
  run = std::move(one.front());
}

void resolve_hashes(std::vector<RunConfig>& runs, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir) {
  // Each base and each task is read once, however many runs name it.
  std::map<std::pair<std::string, std::string>, RunInputs> known;
  std::map<std::pair<std::string, std::string>, std::string> networks;  // by base and protocol
  TrainingImages images(data_dir);
  for (RunConfig& run : runs) {
    const auto [entry, fresh] = known.try_emplace({run.base, run.task});
    if (fresh) entry->second = inputs_of(run, assets_dir, data_dir);
    const auto& [base, data] = entry->second;
    check_inputs(run, base, data);
    const std::string protocol = protocol_of(run, base);
    const auto [network, first] = networks.try_emplace({run.base, protocol});
    if (first) network->second = measuring_hash(protocol, base, assets_dir);
    set_inputs(run, base, data, network->second, images);
  }
}

void resolve_hashes(SweepFile& sweep, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir) {
  resolve_hashes(sweep.runs, assets_dir, data_dir);
  drop_twins(sweep);
}

}  // namespace marquee::experiments
