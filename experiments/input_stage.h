// What a run reads, from copies on this host's own disk: the files of its task, its base, and the
// feature network that measures it (marquee sweep --stage). It says nothing about results: no run
// id and no record holds where files were read from.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/local_stage.h"
#include "experiments/run_config.h"

namespace marquee::experiments {

struct InputFolders {
  std::filesystem::path data;      // as --data; may be empty
  std::filesystem::path base;      // folder of bases
  std::filesystem::path networks;  // that whose features/ holds the feature networks
  bool operator==(const InputFolders&) const = default;
};

// What is not copied keeps its folder; copies stay as long as this lives.
struct StagedInputs {
  InputFolders folders;
  std::vector<cluster::LocalStage::Use> uses;
};

// Looks at a source once: that it stays as it is while this lives is what a sweep relies on anyway.
// Not thread safe.
class InputStage {
 public:
  // Where nothing can be staged, a warning is logged and the folder is the source's. Throws
  // environment for a source that is missing, damaged, or not what `run` was planned with.
  StagedInputs take(const cluster::StagePlace& place, const RunConfig& run,
                    const InputFolders& source, const cluster::LocalStage::Progress& progress);

 private:
  const cluster::StageSet& data_of(const RunConfig& run, const std::filesystem::path& data);
  const cluster::StageSet& base_of(const RunConfig& run, const std::filesystem::path& assets);
  const cluster::StageSet& network_of(const RunConfig& run, const std::filesystem::path& assets);

  std::optional<std::pair<cluster::StagePlace, cluster::LocalStage>> stage_;
  std::map<std::string, cluster::StageSet> sets_;
};

}  // namespace marquee::experiments
