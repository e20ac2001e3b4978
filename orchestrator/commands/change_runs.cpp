#include "orchestrator/commands/change_runs.h"

#include <iostream>
#include <map>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "analysis/report/query.h"
#include "cluster/host.h"
#include "experiments/brief_hold.h"
#include "experiments/results_folder.h"
#include "orchestrator/commands/choose_runs.h"
#include "orchestrator/human.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr double kWatchSeconds = 5.0;
constexpr useconds_t kWatchMicroseconds = 50'000;

// Whether the holder takes the entry in while we look.
bool watch(const fs::path& entry) {
  const double give_up = cluster::monotonic_seconds() + kWatchSeconds;
  while (fs::exists(entry)) {
    if (cluster::monotonic_seconds() > give_up) return false;
    usleep(kWatchMicroseconds);
  }
  return true;
}

void change_here(experiments::BriefHold& hold, const std::string& kind, ChangedRuns& changed) {
  experiments::Ledger& ledger = hold.ledger();
  ledger.begin_batch();
  for (const std::string& run : changed.chosen) {
    if (!(kind == "cancel" ? ledger.cancel(run) : ledger.want_rerun(run))) continue;
    changed.changed.push_back(run);
    if (const auto configuration = ledger.configuration(run))
      changed.configurations.push_back(*configuration);
  }
  ledger.commit_batch();
  hold.publish();
}

}  // namespace

ChangedRuns change_runs(const std::string& kind,
                        const boost::program_options::variables_map& values, bool all,
                        bool dry_run) {
  log_warnings_alone();
  const std::string out = values["out"].as<std::string>();
  ChangedRuns changed;
  changed.results = existing_results(out);
  if (dry_run) {
    changed.chosen = chosen_runs(published_results(out), values, all);
    return changed;
  }
  std::optional<experiments::BriefHold> hold =
      experiments::BriefHold::try_take(changed.results, changed.holder);
  if (hold) {
    hold->publish();  // the choice is made among what is true now
    changed.chosen = chosen_runs(published_results(out), values, all);
    change_here(*hold, kind, changed);
    return changed;
  }
  changed.chosen = chosen_runs(published_results(out), values, all);
  experiments::InboxEntry entry;
  entry.kind = kind;
  entry.runs = changed.chosen;
  const experiments::Delivery delivery = experiments::deliver(changed.results, entry);
  changed.taken_in =
      delivery.taken.has_value() || watch(changed.results / "inbox" / delivery.entry);
  return changed;
}

void print_runs(const fs::path& results, const std::vector<std::string>& runs) {
  const json rows =
      analysis::query_rows(results / experiments::kPublishedFile,
                           "SELECT run_id, task, shots, method, seed, status FROM results");
  std::map<std::string, const json*> by_id;
  for (const json& row : rows) by_id[row.at("run_id").get<std::string>()] = &row;
  for (const std::string& run : runs) {
    const json& row = *by_id.at(run);
    std::cout << short_id(run) << "  " << row.at("task").get<std::string>() << "  "
              << row.at("shots").get<std::string>() << " shots  "
              << row.at("method").get<std::string>() << "  seed " << row.at("seed") << "  "
              << row.at("status").get<std::string>() << "\n";
  }
}

std::string json_of(const std::string& kind, const ChangedRuns& changed, bool dry_run) {
  const bool here = changed.holder.empty() && !dry_run;
  return json{{"kind", kind},
              {"runs", changed.chosen},
              {"dry_run", dry_run},
              {"changed", here ? json(changed.changed) : json()},
              {"holder", changed.holder.empty() ? json() : json(changed.holder)},
              {"taken_in", here || changed.taken_in}}
      .dump();
}

std::string outcome_text(const std::string& done, const ChangedRuns& changed) {
  const auto runs = [](std::size_t count) {
    return std::to_string(count) + (count == 1 ? " run " : " runs ");
  };
  if (changed.holder.empty()) {
    const std::size_t others = changed.chosen.size() - changed.changed.size();
    return runs(changed.changed.size()) + done +
           (others > 0 ? "; " + runs(others) + "left as they are" : "");
  }
  return runs(changed.chosen.size()) +
         (changed.taken_in ? "handed to the holder, who has taken the request in: "
                           : "wait in the inbox for the holder: ") +
         changed.holder;
}

}  // namespace marquee::orchestrator
