// results/runs/<run id>/attempt-<n>/: the folder of one try, and attempt.json, its record. The
// record is written last and durably: an attempt whose record says done is sealed, whatever happens
// afterwards.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "experiments/result_record.h"
#include "experiments/run_config.h"

namespace marquee::experiments {

struct AttemptCause {
  std::string kind;  // usage, environment, defect, crash, deadline, protocol, interrupted
  std::string message;
  int exit_code = -1;
  int signal = 0;
  std::string log_tail;
};

struct AttemptRecord {
  std::string run_id;
  int attempt = 0;
  std::uint64_t epoch = 0;     // of the coordinator that started it
  std::string status;          // running, done, failed, interrupted
  std::string started, ended;  // UTC, ISO 8601
  std::string host;
  AttemptCause cause;                  // of failed and interrupted ones
  std::optional<ResultRecord> result;  // of done ones
  nlohmann::json run;                  // its configuration, so that the ledger can be rebuilt
};

nlohmann::json to_json(const AttemptRecord& record);
// Throws environment naming the key.
AttemptRecord attempt_from_json(const nlohmann::json& content);

std::filesystem::path run_dir(const std::filesystem::path& results, const RunId& run);
std::filesystem::path attempt_dir(const std::filesystem::path& results, const RunId& run,
                                  int attempt);
// attempt-<n> of a run's folder.
std::filesystem::path attempt_folder_of(const std::filesystem::path& run_folder, int attempt);

// Durable; makes the folder.
void write_attempt(const std::filesystem::path& attempt_folder, const AttemptRecord& record);
// Throws environment when there is none or it is damaged.
AttemptRecord read_attempt(const std::filesystem::path& attempt_folder);

// Numbers of the attempt folders of a run, ascending; foreign names are skipped.
std::vector<int> attempt_numbers(const std::filesystem::path& run_folder);
// Readable records of a run, by attempt number; unreadable ones are logged and skipped.
std::vector<AttemptRecord> scan_attempts(const std::filesystem::path& run_folder);

}  // namespace marquee::experiments
