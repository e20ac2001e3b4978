#include "experiments/run_folder.h"

#include <algorithm>
#include <cerrno>
#include <fstream>

#include <sys/stat.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/log.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uintmax_t kMaxRecordBytes = std::uintmax_t{16} << 20;
constexpr std::string_view kPrefix = "attempt-";

// Log lines of a crash may hold any bytes; they become replacement characters.
std::string file_text(const AttemptRecord& record) {
  return to_json(record).dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

json to_json(const AttemptRecord& record) {
  json content{{"run_id", record.run_id}, {"attempt", record.attempt}, {"epoch", record.epoch},
               {"status", record.status}, {"started", record.started}, {"ended", record.ended},
               {"host", record.host}};
  if (record.claim > 0) content["claim"] = record.claim;
  if (record.rerun_of > 0) content["rerun_of"] = record.rerun_of;
  if (!record.cause.kind.empty()) {
    content["cause"] = {{"kind", record.cause.kind},
                        {"message", record.cause.message},
                        {"exit_code", record.cause.exit_code},
                        {"signal", record.cause.signal},
                        {"log_tail", record.cause.log_tail}};
  }
  if (record.result) content["result"] = to_json(*record.result);
  if (!record.run.is_null()) content["run"] = record.run;
  return content;
}

AttemptRecord attempt_from_json(const json& content) {
  AttemptRecord record;
  try {
    record.run_id = RunId(content.at("run_id").get<std::string>()).text();
    record.attempt = content.at("attempt");
    record.epoch = content.at("epoch");
    record.claim = content.value("claim", std::uint64_t{0});
    record.rerun_of = content.value("rerun_of", 0);
    record.status = content.at("status");
    record.started = content.at("started");
    record.ended = content.at("ended");
    record.host = content.at("host");
    if (const auto cause = content.find("cause"); cause != content.end()) {
      record.cause.kind = cause->at("kind");
      record.cause.message = cause->at("message");
      record.cause.exit_code = cause->value("exit_code", -1);
      record.cause.signal = cause->value("signal", 0);
      record.cause.log_tail = cause->value("log_tail", "");
    }
    if (const auto result = content.find("result"); result != content.end())
      record.result = result_record_from_json(*result);
    record.run = content.value("run", json());
  } catch (const json::exception& error) {
    cluster::throw_environment(std::string("attempt record: ") + error.what());
  }
  const std::vector<std::string> statuses{"running", "done", "failed", "interrupted"};
  if (std::find(statuses.begin(), statuses.end(), record.status) == statuses.end()) {
    cluster::throw_environment("attempt record: unknown status '" + record.status + "'");
  }
  if (record.status == "done" && !record.result)
    cluster::throw_environment("attempt record: done, but without a result");
  return record;
}

fs::path run_dir(const fs::path& results, const RunId& run) {
  return results / "runs" / run.text();
}
fs::path attempt_dir(const fs::path& results, const RunId& run, int attempt) {
  return attempt_folder_of(run_dir(results, run), attempt);
}
fs::path attempt_folder_of(const fs::path& run_folder, int attempt) {
  return run_folder / (std::string(kPrefix) + std::to_string(attempt));
}

int claim_attempt(const fs::path& results, const RunId& run, int at_least) {
  const fs::path folder = run_dir(results, run);
  cluster::create_directories_durably(folder.parent_path());
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    cluster::throw_environment(folder.string() + ": folder cannot be made (" + error.message() +
                               ")");
  int number = at_least;
  for (const int taken : attempt_numbers(folder)) number = std::max(number, taken + 1);
  while (::mkdir(attempt_dir(results, run, number).c_str(), 0755) != 0) {
    if (errno != EEXIST)
      cluster::throw_environment(attempt_dir(results, run, number).string() +
                                 ": folder cannot be made (" + cluster::errno_text(errno) + ")");
    ++number;
  }
  return number;
}

void create_attempt_folder(const fs::path& attempt_folder) {
  std::error_code error;
  fs::create_directories(attempt_folder, error);
  if (error)
    cluster::throw_environment(attempt_folder.string() + ": folder cannot be made (" +
                               error.message() + ")");
  cluster::sync_directory(attempt_folder.parent_path());
  cluster::sync_directory(attempt_folder.parent_path().parent_path());
}

void note_start(const fs::path& attempt_folder, const AttemptRecord& record) {
  const fs::path aside = attempt_folder / ".attempt.json.start";
  std::error_code error;
  fs::create_directories(attempt_folder, error);
  std::ofstream(aside, std::ios::binary | std::ios::trunc) << file_text(record);
  fs::rename(aside, attempt_folder / "attempt.json", error);
  if (error)
    cluster::log_warning("runs",
                         attempt_folder.string() + ": start not noted (" + error.message() + ")");
}

void write_attempt(const fs::path& attempt_folder, const AttemptRecord& record) {
  cluster::create_directories_durably(attempt_folder);
  cluster::write_file_durably(attempt_folder / "attempt.json", file_text(record));
}

AttemptRecord read_attempt(const fs::path& attempt_folder) {
  const fs::path file = attempt_folder / "attempt.json";
  const json content =
      json::parse(cluster::read_file(file, kMaxRecordBytes), nullptr, /*allow_exceptions=*/false);
  if (!content.is_object()) cluster::throw_environment(file.string() + ": is no JSON object");
  try {
    return attempt_from_json(content);
  } catch (cluster::Error& error) {
    throw error.add_context(file.string());
  }
}

std::vector<int> attempt_numbers(const fs::path& run_folder) {
  std::vector<int> numbers;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(run_folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    const std::string digits = name.substr(kPrefix.size());
    if (digits.empty() || digits.size() > 8 ||
        digits.find_first_not_of("0123456789") != std::string::npos)
      continue;
    numbers.push_back(std::stoi(digits));
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

int newest_finished(const fs::path& run_folder) {
  int newest = 0;
  for (const AttemptRecord& record : scan_attempts(run_folder))
    if (record.status == "done") newest = std::max(newest, record.attempt);
  return newest;
}

std::vector<AttemptRecord> scan_attempts(const fs::path& run_folder,
                                         std::vector<std::string>* refused) {
  const auto tell = [&](const std::string& problem) {
    if (refused != nullptr) {
      refused->push_back(problem);
    } else {
      cluster::log_warning("runs", problem + "; ignored");
    }
  };
  std::vector<AttemptRecord> records;
  for (const int number : attempt_numbers(run_folder)) {
    const fs::path folder = attempt_folder_of(run_folder, number);
    if (!fs::exists(folder / "attempt.json")) continue;
    try {
      AttemptRecord record = read_attempt(folder);
      if (record.attempt == number && record.run_id == run_folder.filename().string()) {
        records.push_back(std::move(record));
      } else {
        tell(folder.string() + ": attempt.json belongs to another attempt");
      }
    } catch (const cluster::Error& problem) {
      tell(problem.what());
    }
  }
  return records;
}

}  // namespace marquee::experiments
