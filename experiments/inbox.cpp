#include "experiments/inbox.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cstdio>
#include <random>

#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/suggest.h"
#include "experiments/evaluation_record.h"
#include "experiments/run_folder.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFolder = "inbox";
constexpr const char* kRefused = "refused";
constexpr int kFormat = 1;
constexpr std::uintmax_t kMaxEntryBytes = std::uintmax_t{16} << 20;
constexpr std::size_t kMaxRuns = 200'000, kMaxWords = 256;
constexpr int kMaxAttempt = 99'999'999;
constexpr std::size_t kMaxEntriesAtOnce = 256;

// An entry that was read and checked, or the reason why it is refused.
struct Read {
  std::string name;
  InboxEntry entry;
  AttemptRecord record;  // of kind attempt
  RunConfig run;
  EvaluationRecord evaluation;  // of kind evaluation
  std::string refusal;
};

// Only what a file name of ours has: names come from others and go into messages.
std::string plain(const std::string& text) {
  std::string safe = text.substr(0, kMaxWords);
  for (char& c : safe)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_' && c != '.')
      c = '_';
  return safe;
}

std::string new_name() {
  static std::atomic<unsigned> counter{0};
  std::string time = cluster::utc_now();
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  // The digits in front keep the order of one process within a millisecond.
  char number[16];
  std::snprintf(number, sizeof number, "%06u", counter++);
  return time + "-" + number + "-" + plain(cluster::host_name()) + "-" +
         std::to_string(::getpid()) + "-" + std::to_string(std::random_device{}()) + ".json";
}

// Names of the entries, oldest first. Staging files (".name.tmp-...") are not there yet.
std::vector<std::string> waiting(const fs::path& results) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(results / kFolder, error)) {
    const std::string name = file.path().filename().string();
    if (name != kRefused && !name.starts_with(".")) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The attempt that an entry names must be sealed in its folder and be what it says.
void read_sealed(const fs::path& results, std::uint64_t epoch, Read& read) {
  const RunId id(read.entry.runs.front());
  const fs::path folder = attempt_dir(results, id, read.entry.attempt);
  read.record = read_attempt(folder);
  if (read.record.run_id != id.text() || read.record.attempt != read.entry.attempt)
    cluster::throw_environment(folder.string() + ": attempt.json belongs to another attempt");
  if (read.record.status == "running")
    cluster::throw_environment(folder.string() + ": attempt.json says running; expected its end");
  if (read.record.epoch > epoch)
    cluster::throw_environment(folder.string() + ": attempt.json has epoch " +
                               std::to_string(read.record.epoch) + ", which nobody has had yet");
  read.run = run_config_from_json(read.record.run);
  check_run(read.run);
  if (run_id(read.run) != id)
    cluster::throw_environment(folder.string() + ": the configuration in attempt.json has run id " +
                               run_id(read.run).text());
}

Read read_entry(const fs::path& results, const std::string& name, std::uint64_t epoch) {
  Read read;
  read.name = name;
  const fs::path file = results / kFolder / name;
  try {
    if (!fs::is_regular_file(fs::symlink_status(file)))
      cluster::throw_environment("is no plain file");
    read.entry = inbox_entry_from_json(
        json::parse(cluster::read_file(file, kMaxEntryBytes), nullptr, /*allow_exceptions=*/false));
    if (read.entry.epoch > epoch)
      cluster::throw_environment("epoch " + std::to_string(read.entry.epoch) +
                                 " is one that nobody has had yet");
    if (read.entry.kind == "attempt") read_sealed(results, epoch, read);
    if (read.entry.kind == "evaluation")
      read.evaluation = read_evaluation(results, read.entry.evaluation);
  } catch (const std::exception& error) {
    read.refusal = error.what();
  }
  return read;
}

void apply(Ledger& ledger, const Read& read, TakenIn& taken) {
  if (read.entry.kind == "evaluation") return ledger.enter_evaluation(read.evaluation);
  if (read.entry.kind == "attempt") {
    ledger.register_run(read.run);
    if (!ledger.finish_attempt(read.record)) {
      ++taken.without_effect;
    } else if (read.record.status == "done") {
      taken.finished.push_back(read.record.run_id);
    }
    return;
  }
  const bool cancel = read.entry.kind == "cancel";
  for (const std::string& run : read.entry.runs) {
    if (!(cancel ? ledger.cancel(run) : ledger.want_rerun(run))) {
      ++taken.without_effect;
    } else {
      (cancel ? taken.cancelled : taken.wanted).push_back(run);
    }
  }
}

std::string summary_of(const Read& read) {
  if (!read.refusal.empty()) return read.refusal;
  if (read.entry.kind == "attempt")
    return "attempt " + std::to_string(read.entry.attempt) + " of run " + read.entry.runs.front() +
           ": " + read.record.status;
  if (read.entry.kind == "evaluation")
    return "evaluation " + read.entry.evaluation + " of " + read.evaluation.name;
  return read.entry.kind + " of " + std::to_string(read.entry.runs.size()) + " runs";
}

// In a transaction of the caller.
void enter(Ledger& ledger, const Read& read, TakenIn& taken) {
  const bool refused = !read.refusal.empty();
  const std::string name = plain(read.name);
  // Texts from outside may hold any bytes.
  const std::string text =
      json(summary_of(read)).dump(-1, ' ', false, json::error_handler_t::replace);
  const std::string words = text.substr(1, text.size() - 2);
  if (!ledger.enter_request(
          {name, refused ? "refused" : read.entry.kind, read.entry.made, read.entry.host, words}))
    return;
  ++taken.entries;
  if (refused) {
    ++taken.refused;
    ledger.add_event("inbox_refused", "", name + ": " + words);
    cluster::log_warning("inbox", name + " refused: " + words);
  } else {
    apply(ledger, read, taken);
  }
}

void put_away(const fs::path& results, const Read& read) {
  const fs::path file = results / kFolder / read.name;
  std::error_code error;
  if (read.refusal.empty()) {
    fs::remove(file, error);
    return;
  }
  fs::create_directories(results / kFolder / kRefused, error);
  fs::rename(file, results / kFolder / kRefused / read.name, error);
  if (error) cluster::log_warning("inbox", file.string() + ": stays (" + error.message() + ")");
}

}  // namespace

json to_json(const InboxEntry& entry) {
  json content{{"marquee_inbox", kFormat},
               {"kind", entry.kind},
               {"epoch", entry.epoch},
               {"made", entry.made},
               {"host", entry.host}};
  if (entry.kind == "evaluation") {
    content["evaluation"] = entry.evaluation;
    return content;
  }
  content["runs"] = entry.runs;
  if (entry.kind == "attempt") content["attempt"] = entry.attempt;
  return content;
}

InboxEntry inbox_entry_from_json(const json& content) {
  const auto refuse = [](const std::string& what) {
    cluster::throw_environment("no entry: " + what);
  };
  if (!content.is_object()) refuse("expected a JSON object");
  const std::vector<std::string> keys{"marquee_inbox", "kind", "runs",    "epoch",
                                      "made",          "host", "attempt", "evaluation"};
  for (const auto& [key, value] : content.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      refuse("unknown key '" + plain(key) + "'" + cluster::did_you_mean(plain(key), keys));
  }
  InboxEntry entry;
  try {
    if (content.at("marquee_inbox") != kFormat)
      refuse("marquee_inbox must be " + std::to_string(kFormat));
    entry.kind = content.at("kind").get<std::string>();
    const json& epoch = content.at("epoch");
    if (!epoch.is_number_unsigned()) refuse("epoch must be a whole number");
    entry.epoch = epoch.get<std::uint64_t>();
    entry.made = plain(content.at("made").get<std::string>());
    entry.host = plain(content.at("host").get<std::string>());
    if (entry.kind == "evaluation") {
      entry.evaluation = content.at("evaluation").get<std::string>();
      if (!is_evaluation_id(entry.evaluation)) refuse("evaluation must be 32 hex digits");
      if (content.contains("runs") || content.contains("attempt"))
        refuse("runs and attempt do not belong to kind evaluation");
      return entry;
    }
    if (content.contains("evaluation")) refuse("evaluation belongs to kind evaluation");
    const json& runs = content.at("runs");
    if (!runs.is_array() || runs.empty() || runs.size() > kMaxRuns)
      refuse("runs must be a list of 1 to " + std::to_string(kMaxRuns) + " run ids");
    for (const json& run : runs) entry.runs.push_back(RunId(run.get<std::string>()).text());
    if (entry.kind == "attempt") {
      const json& attempt = content.at("attempt");
      if (!attempt.is_number_unsigned() || attempt.get<std::uint64_t>() < 1 ||
          attempt.get<std::uint64_t>() > kMaxAttempt)
        refuse("attempt must lie in 1.." + std::to_string(kMaxAttempt));
      entry.attempt = attempt.get<int>();
      if (entry.runs.size() != 1) refuse("an attempt belongs to one run");
    } else if (content.contains("attempt")) {
      refuse("attempt belongs to kind attempt");
    }
  } catch (const json::exception& error) {
    refuse(error.what());
  }
  constexpr std::array kKinds{"cancel", "rerun", "attempt"};
  if (std::find(kKinds.begin(), kKinds.end(), entry.kind) == kKinds.end())
    refuse("kind must be cancel, rerun, attempt or evaluation, not '" + plain(entry.kind) + "'");
  return entry;
}

std::string seal_entry(const fs::path& results, InboxEntry entry) {
  entry.made = cluster::utc_now();
  entry.host = cluster::host_name();
  const std::string name = new_name();
  cluster::create_directories_durably(results / kFolder);
  cluster::write_file_durably(results / kFolder / name, to_json(entry).dump() + "\n");
  return name;
}

bool inbox_waits(const fs::path& results) {
  return !waiting(results).empty();
}

TakenIn take_in(Ledger& ledger, const fs::path& results) {
  TakenIn taken;
  std::vector<std::string> names = waiting(results);
  if (names.empty()) return taken;
  names.resize(std::min(names.size(), kMaxEntriesAtOnce));
  std::vector<Read> entries;
  for (const std::string& name : names)
    entries.push_back(read_entry(results, name, ledger.epoch()));
  cluster::failpoint("coordinator.inbox_read");
  ledger.begin_batch();
  for (const Read& read : entries) enter(ledger, read, taken);
  ledger.commit_batch();
  cluster::failpoint("coordinator.inbox_taken");
  for (const Read& read : entries) put_away(results, read);
  return taken;
}

}  // namespace marquee::experiments
