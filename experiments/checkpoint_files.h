// checkpoint-<step>.h5 as files: which there are, in which order a resuming attempt tries them, and
// which of them is whole. What is inside is the trainer's business (workers/tuning/checkpoint.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace marquee::experiments {

struct CheckpointFile {
  std::int64_t step = 0;
  int attempt = 0;  // 0 where the folder is no attempt's
  std::filesystem::path path;
};

std::string checkpoint_name(std::int64_t step);
// Step in "checkpoint-<step>.h5"; nothing for any other name.
std::optional<std::int64_t> checkpoint_step(const std::string& name);

// Newest first; empty when there is no folder.
std::vector<CheckpointFile> checkpoints_in(const std::filesystem::path& attempt_folder);
// Of all attempts of a run, newest first: by step, then by attempt.
std::vector<CheckpointFile> checkpoints_of_run(const std::filesystem::path& run_folder);

// Those that an attempt may go on from, newest first: a run that is computed again after it had
// finished starts anew, from nothing that the finished attempt or one before it has left.
std::vector<CheckpointFile> resumable_checkpoints(const std::filesystem::path& run_folder);

// The first one of resumable_checkpoints whose seal holds. Reads the files that it tries.
std::optional<CheckpointFile> newest_valid_checkpoint(const std::filesystem::path& run_folder);

}  // namespace marquee::experiments
