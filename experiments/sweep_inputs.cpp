#include "experiments/sweep_inputs.h"

#include <map>
#include <optional>

#include "datasets/dataset_hash.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"

namespace marquee::experiments {
namespace {

// The protocol carries the name of the feature network that makes the numbers.
void set_inputs(RunConfig& run, const BaseManifest& base, const std::string& data_hash) {
  run.base_hash = base_hash(base);
  run.network_hash = network_hash(base);
  if (is_protocol(base.version)) run.protocol = base.version;
  run.data_hash = data_hash;
}

struct RunInputs {
  BaseManifest base;
  std::string data_hash;
};

RunInputs inputs_of(const RunConfig& run, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir) {
  BaseManifest base = load_base_manifest(assets_dir, run.base);
  check_not_pretrained_on(base, run.task);
  return {std::move(base), datasets::dataset_content_hash(datasets::find_task(run.task), data_dir)};
}

class Inputs {
 public:
  Inputs(std::filesystem::path assets, std::filesystem::path data)
      : assets_(std::move(assets)), data_(std::move(data)) {}

  void resolve(RunConfig& run) {
    const std::optional<BaseManifest>& base = base_of(run.base);
    const std::string& data_hash = data_of(run.task);
    if (!base || data_hash.empty() || !may_run(*base, run.task)) return;
    set_inputs(run, *base, data_hash);
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
                             " from the repository, make it with marquee pretrain, or name the "
                             "folder above it with --assets",
                         error.kind()});
    }
    return entry->second;
  }

  const std::string& data_of(const std::string& task) {
    const auto [entry, fresh] = data_hashes_.try_emplace(task);
    if (!fresh) return entry->second;
    try {
      entry->second = datasets::dataset_content_hash(datasets::find_task(task), data_);
    } catch (const cluster::Error& error) {
      missing.push_back({"data", task, error.what(),
                         data_.empty() ? "name the folder of TFDS data sets with --data"
                                       : "prepare the data set with TFDS below " + data_.string() +
                                             ", or leave the task out of the sweep",
                         error.kind()});
    }
    return entry->second;
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

  std::filesystem::path assets_, data_;
  std::map<std::string, std::optional<BaseManifest>> bases_;
  std::map<std::string, std::string> data_hashes_;  // by task; empty: missing
  std::map<std::pair<std::string, std::string>, bool> allowed_;
};

}  // namespace

std::vector<MissingInput> resolve_what_is_there(SweepFile& sweep,
                                                const std::filesystem::path& assets_dir,
                                                const std::filesystem::path& data_dir) {
  Inputs inputs(assets_dir, data_dir);
  for (RunConfig& run : sweep.runs) inputs.resolve(run);
  return std::move(inputs.missing);
}

void resolve_hashes(RunConfig& run, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir) {
  const RunInputs inputs = inputs_of(run, assets_dir, data_dir);
  set_inputs(run, inputs.base, inputs.data_hash);
}

void resolve_hashes(SweepFile& sweep, const std::filesystem::path& assets_dir,
                    const std::filesystem::path& data_dir) {
  // Each base and each task is read once, however many runs name it.
  std::map<std::pair<std::string, std::string>, RunInputs> known;
  for (RunConfig& run : sweep.runs) {
    const auto [entry, fresh] = known.try_emplace({run.base, run.task});
    if (fresh) entry->second = inputs_of(run, assets_dir, data_dir);
    set_inputs(run, entry->second.base, entry->second.data_hash);
  }
}

}  // namespace marquee::experiments
