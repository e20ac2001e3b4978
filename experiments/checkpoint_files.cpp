#include "experiments/checkpoint_files.h"

#include <algorithm>
#include <tuple>

#include "cluster/file_seal.h"
#include "experiments/run_folder.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "checkpoint-", kSuffix = ".h5";
constexpr std::size_t kMostDigits = 12;

void sort_newest_first(std::vector<CheckpointFile>& files) {
  std::sort(files.begin(), files.end(), [](const CheckpointFile& a, const CheckpointFile& b) {
    return std::tie(b.step, b.attempt) < std::tie(a.step, a.attempt);
  });
}

}  // namespace

std::string checkpoint_name(std::int64_t step) {
  return std::string(kPrefix) + std::to_string(step) + std::string(kSuffix);
}

std::optional<std::int64_t> checkpoint_step(const std::string& name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  if (name.size() <= kPrefix.size() + kSuffix.size()) return std::nullopt;
  const std::string digits =
      name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  if (digits.size() > kMostDigits || digits.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::stoll(digits);
}

std::vector<CheckpointFile> checkpoints_in(const fs::path& attempt_folder) {
  std::vector<CheckpointFile> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(attempt_folder, error)) {
    if (const auto step = checkpoint_step(entry.path().filename().string()))
      found.push_back({*step, 0, entry.path()});
  }
  sort_newest_first(found);
  return found;
}

std::vector<CheckpointFile> checkpoints_of_run(const fs::path& run_folder) {
  std::vector<CheckpointFile> all;
  for (const int attempt : attempt_numbers(run_folder)) {
    for (CheckpointFile& file : checkpoints_in(attempt_folder_of(run_folder, attempt))) {
      file.attempt = attempt;
      all.push_back(std::move(file));
    }
  }
  sort_newest_first(all);
  return all;
}

std::vector<CheckpointFile> resumable_checkpoints(const fs::path& run_folder) {
  std::vector<CheckpointFile> files = checkpoints_of_run(run_folder);
  const int finished = files.empty() ? 0 : newest_finished(run_folder);
  std::erase_if(files, [&](const CheckpointFile& file) { return file.attempt <= finished; });
  return files;
}

std::optional<CheckpointFile> newest_valid_checkpoint(const fs::path& run_folder) {
  for (CheckpointFile& file : resumable_checkpoints(run_folder)) {
    if (cluster::has_valid_seal(file.path)) return std::move(file);
  }
  return std::nullopt;
}

}  // namespace marquee::experiments
