// Takes the results of another folder over: of another cluster, a colleague, a sweep that was
// split.
//
// Runs are the same when their ids are: what both folders have finished is compared by the hashes
// of what was made and by every metric. Sealed attempts are copied whole (without checkpoints) and
// get numbers of their own; nothing of the target is changed or lost, nothing of the source is
// written. Merged again, nothing is taken twice; a merge that was cut off goes on.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "experiments/brief_hold.h"
#include "experiments/sweep_file.h"

namespace marquee::experiments {

struct MergeOptions {
  // What to do where both have finished a run with different results: take the source's as a newer
  // attempt, which then counts (event rerun_mismatch), or leave it (event merge_conflict).
  bool take_conflicts = false;
  bool dry_run = false;  // count only
};

struct MergeConflict {
  std::string run_id;
  std::string differs;  // "tokens_sha256, fid"
};

struct MergeReport {
  std::size_t runs = 0;      // of the source
  std::size_t new_runs = 0;  // that the target did not know
  std::size_t attempts = 0;  // taken over
  std::size_t same = 0;      // there already
  std::size_t agreeing = 0;  // finished by both with the same result
  std::vector<MergeConflict> conflicts{};
  std::vector<std::string> renamed_sweeps{};  // "name -> name.1a2b3c4d": of another file
  std::size_t sweeps = 0, evaluations = 0;
  std::vector<std::string> left_out{};  // damaged folders and files, each with its reason
};

// `sweeps`: of the source, from its published database. `told`: hears of each run (done, total).
// The holder of `target` alone; publishes at the end. Throws environment for a source without runs,
// and where the target cannot be written.
MergeReport merge(BriefHold& hold, const std::filesystem::path& target,
                  const std::filesystem::path& source, const std::vector<SweepFile>& sweeps,
                  const MergeOptions& options,
                  const std::function<void(std::size_t, std::size_t)>& told);

}  // namespace marquee::experiments
