// What the tests of run folders share: a finished result, sealed and torn checkpoints.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "cluster/file_seal.h"
#include "experiments/checkpoint_files.h"
#include "experiments/run_folder.h"

namespace marquee::experiments {

inline void write_bytes(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

// A checkpoint whose seal holds, or one cut off in the middle.
inline std::filesystem::path write_checkpoint_file(const std::filesystem::path& run_folder,
                                                   int attempt, std::int64_t step,
                                                   bool valid = true) {
  const auto file = attempt_folder_of(run_folder, attempt) / checkpoint_name(step);
  write_bytes(file, std::string(cluster::kSealBlockBytes, '\0') + "step " + std::to_string(step));
  cluster::seal_file(file);
  if (!valid) std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  return file;
}

inline void seal_attempt(const std::filesystem::path& run_folder, int attempt,
                         const std::string& status) {
  AttemptRecord record;
  record.run_id = run_folder.filename().string();
  record.attempt = attempt;
  record.status = status;
  if (status == "done") {
    record.result = ResultRecord{};
    record.result->class_prior = nlohmann::json::array();
    record.result->fingerprint = record.result->provenance = nlohmann::json::object();
  } else {
    record.cause.kind = "crash";
  }
  write_attempt(attempt_folder_of(run_folder, attempt), record);
}

}  // namespace marquee::experiments
