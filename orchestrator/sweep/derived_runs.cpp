#include "orchestrator/sweep/derived_runs.h"

#include <algorithm>
#include <unordered_map>

#include "cluster/error.h"
#include "cluster/suggest.h"
#include "cluster/text.h"
#include "experiments/simulation.h"
#include "experiments/sweep_inputs.h"
#include "experiments/yaml_source.h"

namespace marquee::orchestrator {
namespace {

using experiments::RunConfig;
using nlohmann::json;

constexpr std::size_t kMaxChanges = 100, kMaxWordBytes = 4096;

// Keys that ask for other data or weights, and those that are filled in from them.
bool needs_other_inputs(const std::string& key) {
  for (const char* name : {"task", "base", "profile", "family", "num_classes", "numerics_version"})
    if (key == name) return true;
  return key.ends_with("_hash");
}

std::vector<std::string> changeable_keys() {
  std::vector<std::string> keys;
  const json defaults = experiments::to_json(RunConfig{});
  for (const auto& [key, value] : defaults.items())
    if (!needs_other_inputs(key)) keys.push_back(key);
  return keys;
}

KeyChange parse_change(const std::string& word) {
  const std::string shown = "--set " + cluster::printable(word);
  const std::size_t sign = word.find('=');
  if (sign == std::string::npos || sign == 0 || word.size() > kMaxWordBytes) {
    cluster::throw_usage(cluster::printable("--set '" + word.substr(0, kMaxWordBytes) +
                                            "': expected KEY=VALUE, such as prompt_length=16"));
  }
  const std::string key = word.substr(0, sign);
  static const std::vector<std::string> keys = changeable_keys();
  const bool known = experiments::to_json(RunConfig{}).contains(key);
  if (known && needs_other_inputs(key)) {
    cluster::throw_usage(shown + ": '" + key +
                         "' cannot be set: it says or follows from which data and weights a run "
                         "has; write a sweep file for such runs (docs/sweeps.md)");
  }
  if (!known) {
    cluster::throw_usage(cluster::printable("--set: unknown run key '" + key + "'" +
                                            cluster::did_you_mean(key, keys) +
                                            "; docs/sweeps.md lists them"));
  }
  try {
    return {key, experiments::read_scalar(key, word.substr(sign + 1)), word};
  } catch (const cluster::Error& error) {
    cluster::throw_usage(cluster::printable(std::string("--set: ") + error.what()));
  }
}

bool sets(const std::vector<KeyChange>& changes, const std::string& key) {
  return std::any_of(changes.begin(), changes.end(),
                     [&](const KeyChange& change) { return change.key == key; });
}

RunConfig changed(const RunConfig& run, const std::vector<KeyChange>& changes) {
  RunConfig next = run;
  for (const KeyChange& change : changes) experiments::set_value(next, change.key, change.value);
  if (experiments::is_oracle(next))
    cluster::throw_usage("--set: oracle rows are made by a sweep file, not of other runs");
  // Where a run said its steps in epochs, those would count.
  if (sets(changes, "steps")) next.epochs = 0;
  try {
    experiments::check_run(next);
  } catch (const cluster::Error& error) {
    cluster::throw_usage("--set: run " + experiments::run_id(run).short_text() +
                         " cannot have these values: " + cluster::printable(error.what()));
  }
  return next;
}

void resolve(std::vector<RunConfig>& runs, const RunInputs& inputs) {
  if (inputs.simulated) {
    for (RunConfig& run : runs) experiments::mark_simulated(run);
  } else {
    experiments::resolve_hashes(runs, inputs.assets, inputs.data);
  }
}

void check_simulated(const RunConfig& run, bool simulated) {
  if ((run.base_hash == experiments::kSimulatedHash) == simulated) return;
  cluster::throw_environment("run " + experiments::run_id(run).short_text() +
                             (simulated ? " is not of a simulated sweep: leave out --simulate"
                                        : " is of a simulated sweep: give --simulate"));
}

// `found`: the same run as it would be planned here and now.
void check_same_inputs(const RunConfig& planned, const RunConfig& found) {
  const std::string run = "run " + experiments::run_id(planned).short_text();
  const auto compare = [&](const char* what, const std::string& expected, const std::string& here) {
    if (expected == here) return;
    cluster::throw_environment(run + " was planned with " + what + " " +
                               cluster::printable(expected) + ", here it would be " + here +
                               ": runs derived from it would differ by more than the keys that are "
                               "set; name the same with --data and --assets");
  };
  compare("base_hash", planned.base_hash, found.base_hash);
  compare("data_hash", planned.data_hash, found.data_hash);
  compare("network_hash", planned.network_hash, found.network_hash);
  compare("numerics_version", std::to_string(planned.numerics_version),
          std::to_string(found.numerics_version));
  compare("run id", experiments::run_id(planned).text(), experiments::run_id(found).text());
}

}  // namespace

std::vector<KeyChange> parse_changes(const std::vector<std::string>& words) {
  if (words.size() > kMaxChanges)
    cluster::throw_usage("--set stands there more than " + std::to_string(kMaxChanges) + " times");
  std::vector<KeyChange> changes;
  for (const std::string& word : words) {
    KeyChange change = parse_change(word);
    if (sets(changes, change.key)) cluster::throw_usage("--set: '" + change.key + "' is set twice");
    changes.push_back(std::move(change));
  }
  if (sets(changes, "steps") && sets(changes, "epochs"))
    cluster::throw_usage("--set: 'steps' and 'epochs' say the same; set one of them");
  return changes;
}

DerivedRuns derive_runs(const std::vector<RunConfig>& chosen, const std::vector<KeyChange>& changes,
                        const RunInputs& inputs) {
  DerivedRuns derived;
  for (const KeyChange& change : changes) derived.list.set.push_back(change.word);
  std::vector<RunConfig> origins, results;
  for (const RunConfig& run : chosen) {
    if (experiments::is_oracle(run)) {
      ++derived.oracles;
      continue;
    }
    check_simulated(run, inputs.simulated);
    origins.push_back(run);
    results.push_back(changed(run, changes));
  }
  std::vector<RunConfig> found = origins;
  resolve(found, inputs);
  for (std::size_t i = 0; i < origins.size(); ++i) check_same_inputs(origins[i], found[i]);
  resolve(results, inputs);
  std::unordered_map<std::string, std::size_t> places;  // in the list, by id
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::string origin = experiments::run_id(origins[i]).text();
    const std::string id = experiments::run_id(results[i]).text();
    if (id == origin) {
      derived.unchanged.push_back(origin);
      continue;
    }
    const auto [place, fresh] = places.try_emplace(id, derived.list.runs.size());
    if (fresh) {
      derived.list.runs.push_back(results[i]);
      derived.list.from.emplace_back();
    }
    derived.list.from[place->second].push_back(origin);
  }
  return derived;
}

std::vector<analysis::RunPair> pairs_of(const RunList& derived) {
  std::vector<analysis::RunPair> pairs;
  for (std::size_t i = 0; i < derived.runs.size(); ++i) {
    const std::string id = experiments::run_id(derived.runs[i]).text();
    for (const std::string& origin : derived.from[i]) pairs.push_back({origin, id});
  }
  return pairs;
}

std::string set_text(const RunList& derived) {
  return cluster::printable(cluster::join(derived.set));
}

std::string difference_report(const RunList& derived, const analysis::RunDifferences& differences) {
  return "difference to the first by " + set_text(derived) + "\n\n" +
         analysis::differences_text(differences);
}

}  // namespace marquee::orchestrator
