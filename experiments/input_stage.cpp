#include "experiments/input_stage.h"

#include <set>

#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/sha256.h"
#include "datasets/data_files.h"
#include "datasets/dataset_hash.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"
#include "experiments/feature_manifest.h"
#include "experiments/protocols.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;
using cluster::source_file;
using cluster::StageSet;

constexpr const char* kManifest = "manifest.json";

// A manifest has no hash beside it; it is small.
void add_manifest(StageSet& set, const fs::path& assets, const fs::path& folder) {
  const fs::path file = folder / kManifest;
  set.files.push_back(source_file(file, file.lexically_relative(assets).generic_string(),
                                  cluster::sha256_file(file)));
}

}  // namespace

const StageSet& InputStage::data_of(const RunConfig& run, const fs::path& data) {
  const auto [entry, fresh] =
      sets_.try_emplace("data\n" + run.task + "\n" + data.string() + "\n" + run.data_hash);
  if (!fresh) return entry->second;
  StageSet set;
  const datasets::TaskInfo& task = datasets::find_task(run.task);
  for (const std::string& name : datasets::data_files(task, data))
    set.files.push_back(source_file(data / name, name));
  if (!set.files.empty() && datasets::dataset_content_hash(task, data) != run.data_hash) {
    sets_.erase(entry);
    cluster::throw_environment("task '" + run.task + "' below " + data.string() +
                               ": other data than the run was planned with; start the sweep again");
  }
  set.identity = "data " + run.data_hash;
  return entry->second = std::move(set);
}

const StageSet& InputStage::base_of(const RunConfig& run, const fs::path& assets) {
  const auto [entry, fresh] =
      sets_.try_emplace("base\n" + run.base + "\n" + assets.string() + "\n" + run.base_hash);
  if (!fresh) return entry->second;
  StageSet set{"base", {}};
  const BaseManifest manifest = load_base_manifest(assets, run.base);
  add_manifest(set, assets, manifest.folder);
  std::set<fs::path> named;  // networks may lie in one file
  for (const auto& [network, file] : manifest.files) {
    const fs::path path = weight_path(manifest, file);
    if (named.insert(path).second) {
      set.files.push_back(
          source_file(path, path.lexically_relative(assets).generic_string(), file.sha256));
    }
  }
  return entry->second = std::move(set);
}

const StageSet& InputStage::network_of(const RunConfig& run, const fs::path& assets) {
  const bool own = protocol_named(run.protocol).network == kMiniNetwork;  // the base has it
  const auto [entry, fresh] =
      sets_.try_emplace(own ? "" : "network\n" + assets.string() + "\n" + run.network_hash);
  if (!fresh || own) return entry->second;
  StageSet set{"network", {}};
  const FeatureManifest manifest = load_feature_manifest(assets, kInceptionNetwork);
  add_manifest(set, assets, manifest.folder);
  const fs::path weights = manifest.weights();
  set.files.push_back(
      source_file(weights, weights.lexically_relative(assets).generic_string(), manifest.sha256));
  return entry->second = std::move(set);
}

StagedInputs InputStage::take(const cluster::StagePlace& place, const RunConfig& run,
                              const InputFolders& source,
                              const cluster::LocalStage::Progress& progress) {
  StagedInputs staged{source, {}};
  if (place.folder.empty()) return staged;
  const auto stage = [&](const StageSet& set, const char* what, fs::path& folder) {
    if (set.files.empty()) return;
    const double started = cluster::monotonic_seconds();
    try {
      if (!stage_ || stage_->first != place) {
        stage_.reset();
        stage_.emplace(place, cluster::LocalStage(place));
      }
      staged.uses.push_back(stage_->second.use(set, progress));
      folder = staged.uses.back().folder();
    } catch (const cluster::StageRefused& refused) {
      cluster::log_warning("stage",
                           std::string(refused.what()) + "; " + what + " is read where it lies");
      return;
    }
    const double seconds = cluster::monotonic_seconds() - started;
    if (seconds >= 1) {
      cluster::log_info("stage", std::string(what) + ": " + std::to_string(set.bytes() >> 20) +
                                     " MiB at hand after " +
                                     std::to_string(static_cast<int>(seconds)) + " s");
    }
  };
  stage(data_of(run, source.data), "the data set", staged.folders.data);
  stage(base_of(run, source.base), "the base", staged.folders.base);
  stage(network_of(run, source.networks), "the feature network", staged.folders.networks);
  return staged;
}

}  // namespace marquee::experiments
