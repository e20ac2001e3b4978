// results/runs/<run id>/attempt-<n>/: the folder of one try, and attempt.json, its record. It says
// running from the start; its last form is written last and durably: an attempt whose record says
// done is sealed, whatever happens afterwards.
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
  std::string kind;  // usage, environment, defect, out_of_memory, crash, deadline, protocol,
                     // interrupted
  std::string message;
  int exit_code = -1;
  int signal = 0;
  std::string log_tail;
};

struct AttemptRecord {
  std::string run_id;
  int attempt = 0;
  std::uint64_t epoch = 0;  // of the coordinator that started it
  std::uint64_t claim = 0;  // epoch of the run's claim that it was begun under; 0: none (claim.h)
  int rerun_of = 0;         // under a claim: the finished attempt that it is wanted after; 0: none
  std::string status;       // running, done, failed, interrupted
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

// Takes the next attempt folder of a run for the caller alone (making a folder is exclusive, also
// between hosts): its number is at least `at_least` and above every folder there. Not durable:
// create_attempt_folder is.
int claim_attempt(const std::filesystem::path& results, const RunId& run, int at_least = 1);
// Makes the folder where it is missing, and durable whoever made it: the entries for it and for its
// run are synced.
void create_attempt_folder(const std::filesystem::path& attempt_folder);

// attempt.json of an attempt that starts: status running, with the configuration, so that a rebuilt
// ledger knows of it. Not synced: after a power cut it may be empty, and is ignored then.
void note_start(const std::filesystem::path& attempt_folder, const AttemptRecord& record);
// Durable; makes the folder.
void write_attempt(const std::filesystem::path& attempt_folder, const AttemptRecord& record);
// Throws environment when there is none or it is damaged.
AttemptRecord read_attempt(const std::filesystem::path& attempt_folder);

// Numbers of the attempt folders of a run, ascending; foreign names are skipped.
std::vector<int> attempt_numbers(const std::filesystem::path& run_folder);
// The newest attempt whose record says done, 0 when there is none. What is tried after it computes
// anew: checkpoints up to this one are not gone on from.
int newest_finished(const std::filesystem::path& run_folder);
// Readable records of a run, by attempt number; unreadable ones are skipped: logged, or told in
// `refused` where it is given.
std::vector<AttemptRecord> scan_attempts(const std::filesystem::path& run_folder,
                                         std::vector<std::string>* refused = nullptr);

}  // namespace marquee::experiments
