// marquee status: how far a results folder is and what its slots do, from the published database.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "analysis/report/query.h"
#include "cluster/error.h"
#include "experiments/claim.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/human.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;
using nlohmann::json;

// A coordinator publishes at least every 20 s, or 50 times as long as a copy takes.
constexpr double kSilentSeconds = 300;
constexpr unsigned kWatchSeconds = 2;

constexpr const char* kCounts =
    "SELECT sweep, status, sum(n) AS n FROM ("
    " SELECT m.sweep AS sweep, r.status AS status, 1 AS n"
    "  FROM sweep_runs m JOIN runs r ON r.run_id = m.run_id"
    " UNION ALL SELECT '(single runs)', r.status, 1 FROM runs r"
    "  WHERE r.run_id NOT IN (SELECT run_id FROM sweep_runs))"
    " GROUP BY sweep, status ORDER BY sweep, status";

constexpr const char* kCoordinator =
    "SELECT epoch, sweep, host, pid, workers, started, updated, ended, runs, done, failed, "
    "cancelled,"
    " fresh_done, runs_per_hour, seconds_left,"
    " (julianday('now') - julianday(updated)) * 86400.0 AS age_seconds"
    " FROM coordinators ORDER BY epoch DESC LIMIT 1";

// Overdue: when the coordinator last wrote, the deadline had passed.
constexpr const char* kSlots =
    "SELECT s.host, s.slot, s.run_id, r.task, r.shots, r.method, r.seed, s.attempt, s.phase, "
    "s.step,"
    " s.total, s.since, s.progressed, s.deadline,"
    " (julianday('now') - julianday(s.since)) * 86400.0 AS seconds,"
    " coalesce(s.deadline < (SELECT max(updated) FROM coordinators), 0) AS overdue"
    " FROM slots s LEFT JOIN runs r ON r.run_id = s.run_id ORDER BY s.host, s.slot";

constexpr const char* kFailures =
    "SELECT f.run_id, f.task, f.shots, f.method, f.seed, f.attempt, f.cause, f.message, f.host,"
    " f.ended FROM failures f WHERE f.status = 'failed' ORDER BY f.ended DESC LIMIT 5";

// Hosts that the newest coordinator gives no more runs.
constexpr const char* kExcluded =
    "SELECT time, text FROM events WHERE kind = 'host_excluded'"
    " AND epoch = (SELECT max(epoch) FROM coordinators) ORDER BY event";

json sweeps_of(const fs::path& database) {
  json by_name = json::object();
  for (const json& row : analysis::query_rows(database, kCounts)) {
    json& sweep = by_name[row.at("sweep").get<std::string>()];
    const auto count = row.at("n").get<std::int64_t>();
    sweep[row.at("status").get<std::string>()] = count;
    sweep["runs"] = sweep.value("runs", std::int64_t{0}) + count;
  }
  json sweeps = json::array();
  for (auto& [name, counts] : by_name.items()) {
    counts["sweep"] = name;
    sweeps.push_back(counts);
  }
  return sweeps;
}

// Runs that are claimed by workers without a coordinator (marquee work), and when each was renewed.
json workers_of(const fs::path& database) {
  const fs::path results = database.parent_path();
  json workers = json::array();
  const std::vector<experiments::ClaimState> claims = experiments::open_claims(results);
  if (claims.empty()) return workers;
  std::map<std::string, json> runs;
  for (const json& row :
       analysis::query_rows(database, "SELECT run_id, task, shots, method, seed FROM runs"))
    runs[row.at("run_id").get<std::string>()] = row;
  for (const experiments::ClaimState& claim : claims) {
    std::error_code error;
    const auto renewed = fs::last_write_time(
        experiments::claim_file(results, experiments::RunId(claim.run_id)), error);
    const auto known = runs.find(claim.run_id);
    if (error || known == runs.end()) continue;
    json worker = known->second;
    worker["host"] = claim.holder.host;
    worker["pid"] = claim.holder.pid;
    worker["age_seconds"] =
        std::chrono::duration<double>(fs::file_time_type::clock::now() - renewed).count();
    workers.push_back(std::move(worker));
  }
  return workers;
}

json status_of(const fs::path& database) {
  json status{{"sweeps", sweeps_of(database)},
              {"failures", analysis::query_rows(database, kFailures)}};
  json coordinator, slots = json::array(), stuck = json::array(), excluded = json::array();
  try {
    if (const json found = analysis::query_rows(database, kCoordinator); !found.empty())
      coordinator = found[0];
    slots = analysis::query_rows(database, kSlots);
    excluded = analysis::query_rows(database, kExcluded);
  } catch (const cluster::Error&) {
    // Published by a version that did not tell: counts are all there is.
  }
  if (!coordinator.is_null()) {
    const bool silent = coordinator.at("age_seconds").get<double>() > kSilentSeconds;
    coordinator["state"] = !coordinator.at("ended").is_null() ? "ended"
                           : silent                           ? "silent"
                                                              : "running";
  }
  for (const json& slot : slots)
    if (slot.at("overdue") == 1) stuck.push_back(slot);
  status["coordinator"] = coordinator;
  status["slots"] = slots;
  status["stuck"] = stuck;
  status["workers"] = workers_of(database);
  status["excluded_hosts"] = excluded;
  return status;
}

std::string word(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "-" : value.dump();
}

std::string run_words(const json& row) {
  return word(row.at("run_id")).substr(0, 12) + "  " + word(row.at("task")) + "  " +
         word(row.at("shots")) + " shots  " + word(row.at("method")) + "  seed " +
         word(row.at("seed"));
}

void print_coordinator(const json& coordinator, std::ostream& out) {
  const std::string state = word(coordinator.at("state"));
  const std::string who = "process " + word(coordinator.at("pid")) + " on " +
                          word(coordinator.at("host")) + ", " + word(coordinator.at("workers")) +
                          " workers";
  if (state == "ended") {
    out << "no sweep runs; the last ended " << word(coordinator.at("ended")) << "\n";
    return;
  }
  const std::string sweep = word(coordinator.at("sweep"));
  out << (sweep.empty() ? "runs again" : "sweep " + sweep) << " (" << who << "), started "
      << word(coordinator.at("started"));
  if (coordinator.at("runs_per_hour").is_number()) {
    out << ", " << human_rate(coordinator.at("runs_per_hour").get<double>());
  }
  if (coordinator.at("seconds_left").is_number())
    out << ", about " << human_seconds(std::ceil(coordinator.at("seconds_left").get<double>()))
        << " left";
  out << "; news of " << human_seconds(std::ceil(coordinator.at("age_seconds").get<double>()))
      << " ago\n";
  if (state == "silent")
    out << "  nothing heard since: it may be gone; the same sweep command goes on from there\n";
}

void print(const json& status, std::ostream& out) {
  for (const json& sweep : status.at("sweeps")) {
    out << word(sweep.at("sweep")) << ": " << sweep.at("runs") << " runs";
    for (const char* state : {"done", "failed", "cancelled", "running", "pending"})
      if (sweep.contains(state)) out << ", " << sweep.at(state) << " " << state;
    out << "\n";
  }
  if (!status.at("coordinator").is_null()) print_coordinator(status.at("coordinator"), out);
  for (const json& slot : status.at("slots")) {
    out << "  " << word(slot.at("host")) << "/" << slot.at("slot") << "  ";
    if (slot.at("run_id").is_null()) {
      out << "idle\n";
      continue;
    }
    out << run_words(slot) << "  " << word(slot.at("phase")) << " " << word(slot.at("step")) << "/"
        << word(slot.at("total")) << "  for "
        << human_seconds(std::ceil(slot.at("seconds").get<double>())) << "\n";
  }
  if (!status.at("workers").empty()) out << "runs of workers (marquee work):\n";
  for (const json& worker : status.at("workers")) {
    out << "  " << run_words(worker) << "  process " << worker.at("pid") << " on "
        << word(worker.at("host")) << ", news of "
        << human_seconds(std::ceil(std::max(0.0, worker.at("age_seconds").get<double>())))
        << " ago\n";
  }
  for (const json& slot : status.at("stuck")) {
    out << "stuck: " << run_words(slot) << " on " << word(slot.at("host")) << "/"
        << word(slot.at("slot")) << ": last progress " << word(slot.at("progressed"))
        << ", the next was due " << word(slot.at("deadline")) << "\n";
  }
  for (const json& host : status.at("excluded_hosts"))
    out << "excluded: " << word(host.at("text")) << "\n";
  if (!status.at("failures").empty()) out << "last failures:\n";
  for (const json& failure : status.at("failures")) {
    out << "  " << run_words(failure) << "  attempt " << failure.at("attempt") << ": "
        << word(failure.at("cause")) << ": " << word(failure.at("message")) << "\n";
  }
}

std::string text_of(const json& status, bool as_json) {
  if (as_json) return status.dump() + "\n";
  std::ostringstream text;
  print(status, text);
  return text.str();
}

void watch(const fs::path& database, bool as_json) {
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  for (std::string last;; sleep(kWatchSeconds)) {
    const json status = status_of(database);
    const std::string text = text_of(status, as_json);
    if (text != last)
      std::cout << (terminal && !as_json ? "\033[H\033[2J" : "") << text << std::flush;
    last = text;
    const json& coordinator = status.at("coordinator");
    if (!status.at("workers").empty()) continue;
    if (coordinator.is_null() || coordinator.at("state") != "running") return;
  }
}

}  // namespace

int status_command(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee status --out DIR [--json] [--watch]";
  line.text =
      "Shows how far each sweep is, its rate and time left, what each slot does, runs that "
      "workers\n"
      "have claimed, runs that are stuck (their progress is overdue) and the last failures, as "
      "last\n"
      "published in DIR/results.sqlite (a running sweep publishes every few seconds).";
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("watch", "go on until the sweep ends")                                               //
      ("json", "one object: sweeps, coordinator, slots, workers, stuck, failures");
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;
  const fs::path database = published_results(values["out"].as<std::string>());
  const bool as_json = values.count("json") > 0;
  if (values.count("watch") > 0) {
    watch(database, as_json);
  } else {
    std::cout << text_of(status_of(database), as_json);
  }
  return 0;
}

}  // namespace marquee::orchestrator
