// marquee status: how far a results folder is and what its slots do, from the published database.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cluster/json_text.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/human.h"
#include "orchestrator/results_status.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;
using nlohmann::json;

constexpr unsigned kWatchSeconds = 2;

std::string word(const json& value) {
  return value.is_null() ? "-" : cluster::plain_text(value);
}

std::string run_words(const json& row) {
  return short_id(word(row.at("run_id"))) + "  " + word(row.at("task")) + "  " +
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
    if (!is_worked_on(status)) return;
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
      ("json", "one object: sweeps, coordinator, slots, workers, stuck, excluded_hosts, failures");
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
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
