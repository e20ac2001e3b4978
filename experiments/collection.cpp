#include "experiments/collection.h"

#include <algorithm>
#include <optional>
#include <set>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/file_seal.h"
#include "experiments/checkpoint_files.h"
#include "experiments/run_folder.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAside = ".removed-";
constexpr int kKeptWhileUnfinished = 2;

std::int64_t bytes_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(path, error))) {
    const std::uintmax_t size = fs::file_size(path, error);
    return error ? 0 : static_cast<std::int64_t>(size);
  }
  std::int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
    const std::uintmax_t size = entry.is_regular_file(error) ? entry.file_size(error) : 0;
    bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

// ".name.tmp-<pid>-<n>" of a StagedFile whose process died.
bool is_staging_file(const std::string& name) {
  return name.starts_with(".") && name.find(".tmp-") != std::string::npos;
}

// The number of the newest attempt whose record says done.
std::optional<int> attempt_that_counts(const fs::path& run_folder) {
  std::optional<int> newest;
  for (const AttemptRecord& record : scan_attempts(run_folder))
    if (record.status == "done" && record.result) newest = record.attempt;
  return newest;
}

bool says_running(const fs::path& attempt_folder) {
  if (!fs::exists(attempt_folder / "attempt.json")) return false;
  try {
    return read_attempt(attempt_folder).status == "running";
  } catch (const cluster::Error&) {
    return false;  // damaged: a record is whole while its attempt runs
  }
}

class Planner {
 public:
  Planner(const fs::path& run_folder, const KeepPolicy& policy, bool done)
      : run_folder_(run_folder), policy_(policy), attempts_(attempt_numbers(run_folder)) {
    const std::vector<CheckpointFile> all = checkpoints_of_run(run_folder);
    // The records are read only where something hangs on them.
    const bool matters = !all.empty() || !policy.samples || !policy.failed_attempts;
    if (done && matters) counts_ = attempt_that_counts(run_folder);
    std::set<fs::path> resumable;
    for (const CheckpointFile& file : resumable_checkpoints(run_folder))
      resumable.insert(file.path);
    for (const CheckpointFile& file : all) {
      const bool open = resumable.count(file.path) != 0;
      (finished(file.attempt) ? closed_ : open ? open_ : passed_).push_back(file);
    }
  }

  std::vector<Removal> plan() {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(run_folder_, error)) {
      if (entry.path().filename().string().starts_with(kAside))
        add(entry.path(), "left over from a collection that was cut off", true);
    }
    judge_checkpoints(closed_, policy_.checkpoints);
    judge_checkpoints(open_, kKeptWhileUnfinished);
    judge_checkpoints(passed_, kKeptWhileUnfinished);
    if (!policy_.failed_attempts) judge_attempts();
    judge_files();
    return std::move(plan_);
  }

 private:
  void add(const fs::path& path, const std::string& reason, bool folder = false) {
    plan_.push_back({path, reason, bytes_of(path), folder});
  }

  // What has a result behind it. An attempt after the one that counts computes the run again.
  bool finished(int attempt) const { return counts_.has_value() && attempt <= *counts_; }

  // Of a group, newest first, so many valid ones stay.
  void judge_checkpoints(const std::vector<CheckpointFile>& files, int wanted) {
    if (static_cast<std::size_t>(wanted) >= files.size()) {
      for (const CheckpointFile& file : files) kept_.insert(file.path);
      return;
    }
    int valid = 0;
    for (const CheckpointFile& file : files) {
      if (valid >= wanted || !cluster::has_valid_seal(file.path)) continue;
      ++valid;
      kept_.insert(file.path);
    }
    // Where none is whole, they all stay for a person to look at.
    if (wanted > 0 && valid == 0) {
      for (const CheckpointFile& file : files) kept_.insert(file.path);
    }
  }

  void judge_attempts() {
    for (const int attempt : attempts_) {
      const fs::path folder = attempt_folder_of(run_folder_, attempt);
      const bool holds_kept = std::any_of(kept_.begin(), kept_.end(), [&](const fs::path& file) {
        return file.parent_path() == folder;
      });
      if (!finished(attempt) || attempt == *counts_ || holds_kept) continue;
      add(folder, "attempt without a result of a finished run", true);
      gone_.insert(folder);
    }
  }

  void judge_files() {
    for (const int attempt : attempts_) {
      const fs::path folder = attempt_folder_of(run_folder_, attempt);
      if (gone_.count(folder) != 0) continue;
      std::vector<std::pair<fs::path, std::string>> files;
      std::error_code error;
      for (const auto& entry : fs::directory_iterator(folder, error)) {
        const std::string name = entry.path().filename().string();
        if (is_staging_file(name))
          files.emplace_back(entry.path(), "never put in place by a process that died");
        if (checkpoint_step(name) && kept_.count(entry.path()) == 0)
          files.emplace_back(entry.path(), finished(attempt) ? "checkpoint of a finished run"
                                                             : "older than the valid checkpoints");
        if (finished(attempt) && !policy_.samples && name.ends_with(".png"))
          files.emplace_back(entry.path(), "samples of a finished run");
      }
      if (files.empty() || (!finished(attempt) && says_running(folder))) continue;
      for (const auto& [path, reason] : files) add(path, reason);
    }
  }

  fs::path run_folder_;
  KeepPolicy policy_;
  std::vector<int> attempts_;
  std::optional<int> counts_;  // of a finished run: the attempt that counts
  // Of finished attempts; those that the run would go on from; those of attempts that it would not,
  // since a later one says that it is done, although the run is not done yet.
  std::vector<CheckpointFile> closed_, open_, passed_;
  std::set<fs::path> kept_, gone_;
  std::vector<Removal> plan_;
};

void fail(const fs::path& path, const std::error_code& error) {
  if (error && error != std::errc::no_such_file_or_directory)
    cluster::throw_environment(path.string() + ": cannot be removed (" + error.message() + ")");
}

void remove_one(const fs::path& path, const BeforeChange& before) {
  if (before) before();
  std::error_code error;
  fs::remove(path, error);
  fail(path, error);
}

void remove_tree(const fs::path& folder, const BeforeChange& before) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder, error)) entries.push_back(entry.path());
  for (const fs::path& entry : entries) {
    if (fs::is_directory(fs::symlink_status(entry, error))) {
      remove_tree(entry, before);
    } else {
      remove_one(entry, before);
    }
  }
  remove_one(folder, before);
}

}  // namespace

std::vector<Removal> plan_collection(const fs::path& run_folder, const KeepPolicy& policy,
                                     RunStanding standing) {
  if (standing == RunStanding::running) return {};
  return Planner(run_folder, policy, standing == RunStanding::done).plan();
}

void remove_planned(const std::vector<Removal>& plan, const BeforeChange& before) {
  for (const Removal& removal : plan) {
    if (!removal.folder) {
      remove_one(removal.path, before);
      continue;
    }
    fs::path aside = removal.path;
    const std::string name = removal.path.filename().string();
    if (!name.starts_with(kAside)) {
      aside.replace_filename(std::string(kAside) + name);
      if (before) before();
      std::error_code error;
      fs::rename(removal.path, aside, error);
      fail(removal.path, error);
      cluster::sync_directory(aside.parent_path());
    }
    remove_tree(aside, before);
  }
}

std::int64_t collect_run(const fs::path& run_folder, const KeepPolicy& policy, RunStanding standing,
                         const BeforeChange& before) {
  const std::vector<Removal> plan = plan_collection(run_folder, policy, standing);
  remove_planned(plan, before);
  std::int64_t bytes = 0;
  for (const Removal& removal : plan) bytes += removal.bytes;
  return bytes;
}

}  // namespace marquee::experiments
