#include "analysis/report/paired_comparison.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "analysis/report/compared_runs.h"
#include "analysis/report/comparison.h"
#include "cluster/error.h"
#include "cluster/json_text.h"
#include "cluster/suggest.h"
#include "datasets/task.h"

namespace marquee::analysis {
namespace {

constexpr std::size_t kMostShown = 5;  // of what goes wrong

struct Pair {
  const ComparedRun* first = nullptr;
  const ComparedRun* other = nullptr;
};

using Cells = std::map<std::string, std::vector<const ComparedRun*>>;

Cells cells_of(const ComparedSide& side) {
  Cells cells;
  for (const ComparedRun& run : side.runs) cells[run.cell()].push_back(&run);
  return cells;
}

// Keys that tell runs of one cell apart.
void add_differing_keys(const Cells& cells, std::set<std::string>& keys) {
  for (const auto& [cell, runs] : cells) {
    for (std::size_t i = 1; i < runs.size(); ++i) {
      for (const auto& item : runs[0]->content.items())
        if (runs[i]->content.at(item.key()) != item.value()) keys.insert(item.key());
    }
  }
}

std::string values_of(const std::vector<const ComparedRun*>& runs, const std::string& key) {
  std::vector<std::string> values;
  for (const ComparedRun* run : runs) {
    const std::string text = cluster::plain_text(run->content.at(key));
    if (std::find(values.begin(), values.end(), text) == values.end()) values.push_back(text);
  }
  return cluster::join(values);
}

// Whoever names a method or a configuration means one run for each task, shots and seed.
void refuse_ambiguous(const ComparedSide& side, const Cells& cells) {
  if (side.mixed) return;
  for (const auto& [cell, runs] : cells) {
    if (runs.size() < 2) continue;
    std::set<std::string> keys;
    add_differing_keys({{cell, runs}}, keys);
    std::string how, example;
    for (const std::string& key : keys) {
      if (key.ends_with("_hash")) continue;
      how += (how.empty() ? "" : "; ") + key + " (" + values_of(runs, key) + ")";
      example += " " + key + "=" + cluster::plain_text(runs[0]->content.at(key));
    }
    cluster::throw_usage("side '" + side.name + "' holds " + std::to_string(runs.size()) +
                         " runs of " + cell + ", which differ in " + how +
                         "; name one configuration, as \"method=" + runs[0]->config.method +
                         example + "\"");
  }
}

// A run's place: its cell and, in sweeps and databases, what tells its like in that cell apart.
std::string place_of(const ComparedRun& run, const std::set<std::string>& keys) {
  std::string place = run.cell();
  for (const std::string& key : keys) place += "\n" + key + "=" + run.content.at(key).dump();
  return place;
}

struct Pairing {
  std::vector<Pair> pairs;
  std::vector<std::string> unpaired;
};

Pairing pair_up(const ComparedSide& first, const ComparedSide& other) {
  const Cells first_cells = cells_of(first), other_cells = cells_of(other);
  refuse_ambiguous(first, first_cells);
  refuse_ambiguous(other, other_cells);
  std::set<std::string> keys;
  add_differing_keys(first_cells, keys);
  add_differing_keys(other_cells, keys);
  std::map<std::string, Pair> places;
  for (const ComparedRun& run : first.runs) places[place_of(run, keys)].first = &run;
  for (const ComparedRun& run : other.runs) places[place_of(run, keys)].other = &run;
  Pairing pairing;
  for (const auto& [place, pair] : places) {
    if (pair.first != nullptr && pair.other != nullptr) {
      pairing.pairs.push_back(pair);
    } else {
      const bool of_first = pair.first != nullptr;
      const ComparedRun& run = of_first ? *pair.first : *pair.other;
      pairing.unpaired.push_back((of_first ? first.name : other.name) + ": " + run.config.method +
                                 ", " + run.cell());
    }
  }
  if (pairing.pairs.empty()) {
    cluster::throw_usage(
        "'" + first.name + "' and '" + other.name + "' share no task, shots and seed" +
        (keys.empty() ? "" : " with equal " + cluster::join({keys.begin(), keys.end()})) +
        "; alone are " +
        cluster::join({pairing.unpaired.begin(),
                       pairing.unpaired.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                      kMostShown, pairing.unpaired.size()))},
                      "; "));
  }
  return pairing;
}

// Each condition of both sides of a pair; equal ones are the same text.
std::map<std::string, std::pair<std::string, std::string>> conditions_of(const Pair& pair) {
  const auto& a = pair.first->config;
  const auto& b = pair.other->config;
  const auto base = [](const experiments::RunConfig& run) {
    return run.base + " " + short_hash(run.base_hash);
  };
  std::map<std::string, std::pair<std::string, std::string>> conditions{
      {"base", {base(a), base(b)}},
      {"protocol", {a.protocol, b.protocol}},
      {"reference", {a.reference, b.reference}},
      {"numerics", {std::to_string(a.numerics_version), std::to_string(b.numerics_version)}}};
  for (const auto& [name, mine] : pair.first->metrics) {
    const auto theirs = pair.other->metrics.find(name);
    if (theirs == pair.other->metrics.end()) continue;
    // The first metric that differs tells; else any.
    const auto put = [&](const std::string& condition, const std::string& x, const std::string& y) {
      auto& entry = conditions[condition];
      if (entry.first == entry.second) entry = {x, y};
    };
    put("network", short_hash(mine.network_hash), short_hash(theirs->second.network_hash));
    put("n_generated", std::to_string(mine.n_generated),
        std::to_string(theirs->second.n_generated));
    put("n_reference", std::to_string(mine.n_reference),
        std::to_string(theirs->second.n_reference));
  }
  return conditions;
}

const char* why_not_across(const std::string& condition) {
  if (condition == "base") return "what is adapted differs, and with it every number";
  if (condition == "protocol") return "protocols compute other numbers of the same images";
  if (condition == "network") return "features of different networks have different distances";
  if (condition == "reference") return "other reference images are another question";
  if (condition == "numerics") return "other versions of the program's arithmetic";
  return "FID and its like depend on how many images are counted";
}

// Refuses pairs that were made differently; says what they have in common.
void check_conditions(const std::vector<Pair>& pairs, const std::set<std::string>& across,
                      SideComparison& comparison) {
  std::map<std::string, std::set<std::string>> common;
  std::map<std::string, std::pair<std::size_t, std::set<std::string>>> differing;
  for (const Pair& pair : pairs) {
    for (const auto& [name, sides] : conditions_of(pair)) {
      if (sides.first == sides.second) {
        common[name].insert(sides.first);
      } else {
        auto& entry = differing[name];
        ++entry.first;
        entry.second.insert(sides.first + " and " + sides.second);
      }
    }
  }
  for (const auto& [name, entry] : differing) {
    const std::string words = name + " differs in " + std::to_string(entry.first) + " of " +
                              std::to_string(pairs.size()) + " pairs (" +
                              cluster::join({entry.second.begin(), entry.second.end()}, "; ") + ")";
    if (!across.contains(name)) {
      cluster::throw_usage("'" + comparison.first + "' and '" + comparison.other +
                           "' are not to be compared: " + words + ": " + why_not_across(name) +
                           ". --across " + name + " compares them all the same");
    }
    comparison.across.push_back(words);
  }
  for (const auto& [name, values] : common) {
    if (!differing.contains(name))
      comparison.made.push_back(name + " " + cluster::join({values.begin(), values.end()}));
  }
}

std::vector<std::string> chosen_metrics(const std::vector<Pair>& pairs,
                                        const std::vector<std::string>& asked,
                                        const SideComparison& comparison) {
  const auto everywhere = [&](const std::string& metric) {
    return std::all_of(pairs.begin(), pairs.end(), [&](const Pair& pair) {
      return pair.first->metrics.contains(metric) && pair.other->metrics.contains(metric);
    });
  };
  std::vector<std::string> chosen, there;
  for (const std::string& metric : metric_names())
    if (everywhere(metric)) there.push_back(metric);
  for (const std::string& metric : asked) {
    if (std::find(there.begin(), there.end(), metric) == there.end()) {
      const bool known =
          std::find(metric_names().begin(), metric_names().end(), metric) != metric_names().end();
      cluster::throw_usage("metric '" + metric + "'" +
                           (known ? "" : cluster::did_you_mean(metric, metric_names())) +
                           " is not in every pair of '" + comparison.first + "' and '" +
                           comparison.other + "'; those have " + cluster::join(there));
    }
    chosen.push_back(metric);
  }
  if (there.empty()) {
    cluster::throw_usage("'" + comparison.first + "' and '" + comparison.other +
                         "' have no metric in common");
  }
  return asked.empty() ? there : chosen;
}

// Differences of every metric, a column each.
std::vector<std::vector<double>> differences_of(const std::vector<const Pair*>& pairs,
                                                const std::vector<std::string>& metrics) {
  std::vector<std::vector<double>> columns(metrics.size());
  for (std::size_t metric = 0; metric < metrics.size(); ++metric) {
    for (const Pair* pair : pairs) {
      columns[metric].push_back(pair->other->metrics.at(metrics[metric]).value -
                                pair->first->metrics.at(metrics[metric]).value);
    }
  }
  return columns;
}

std::vector<MetricComparison> compare_metrics(const std::vector<Pair>& pairs,
                                              const std::vector<std::string>& metrics,
                                              std::uint64_t seed) {
  std::vector<const Pair*> all;
  std::map<std::string, std::vector<const Pair*>> by_task, by_group;
  for (const Pair& pair : pairs) {
    all.push_back(&pair);
    by_task[pair.first->config.task].push_back(&pair);
    by_group[group_name(pair.first->config.task)].push_back(&pair);
  }
  std::vector<bool> lower;
  for (const std::string& metric : metrics) lower.push_back(lower_is_better(metric));
  std::vector<std::vector<double>> task_means(metrics.size());
  for (const auto& [task, members] : by_task) {
    const auto columns = differences_of(members, metrics);
    for (std::size_t i = 0; i < metrics.size(); ++i)
      task_means[i].push_back(std::accumulate(columns[i].begin(), columns[i].end(), 0.0) /
                              static_cast<double>(members.size()));
  }
  const auto over_pairs = summarise_pairs(differences_of(all, metrics), lower, seed);
  const auto over_tasks = summarise_pairs(task_means, lower, seed);
  std::vector<MetricComparison> results;
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    MetricComparison result;
    result.metric = metrics[i];
    result.lower_is_better = lower[i];
    for (const Pair& pair : pairs) {
      result.mean_first +=
          pair.first->metrics.at(metrics[i]).value / static_cast<double>(pairs.size());
      result.mean_other +=
          pair.other->metrics.at(metrics[i]).value / static_cast<double>(pairs.size());
    }
    result.pairs = over_pairs[i];
    result.tasks = over_tasks[i];
    results.push_back(std::move(result));
  }
  for (const auto& [group, members] : by_group) {
    const auto summaries = summarise_pairs(differences_of(members, metrics), lower, seed);
    for (std::size_t i = 0; i < metrics.size(); ++i)
      results[i].groups.emplace_back(group, summaries[i]);
  }
  return results;
}

void adjust(std::vector<SideComparison>& comparisons) {
  for (const bool tasks : {false, true}) {
    std::vector<double> p;
    std::vector<double*> places;
    for (SideComparison& comparison : comparisons) {
      for (MetricComparison& metric : comparison.metrics) {
        const PairedSummary& summary = tasks ? metric.tasks : metric.pairs;
        if (!summary.p) continue;
        p.push_back(*summary.p);
        places.push_back(tasks ? &metric.p_holm_tasks : &metric.p_holm);
      }
    }
    const std::vector<double> adjusted = holm(p);
    for (std::size_t i = 0; i < places.size(); ++i) *places[i] = adjusted[i];
  }
}

}  // namespace

const std::vector<std::string>& compare_conditions() {
  static const std::vector<std::string> names{"base",        "protocol",    "network", "reference",
                                              "n_generated", "n_reference", "numerics"};
  return names;
}

std::vector<SideComparison> compare_sides(const std::vector<std::string>& texts,
                                          const CompareOptions& options) {
  if (texts.size() < 2)
    cluster::throw_usage("two sides or more are compared, not " + std::to_string(texts.size()));
  for (const std::string& name : options.across) {
    const auto& known = compare_conditions();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      cluster::throw_usage("--across '" + name + "'" + cluster::did_you_mean(name, known) +
                           "; expected some of " + cluster::join(known));
    }
  }
  std::vector<ComparedSide> sides;
  for (const std::string& text : texts) sides.push_back(load_side(text, options));
  std::vector<SideComparison> comparisons;
  for (std::size_t i = 1; i < sides.size(); ++i) {
    SideComparison comparison;
    comparison.first = sides[0].name;
    comparison.other = sides[i].name;
    Pairing pairing = pair_up(sides[0], sides[i]);
    check_conditions(pairing.pairs, options.across, comparison);
    comparison.pairs = pairing.pairs.size();
    comparison.unpaired = std::move(pairing.unpaired);
    std::set<std::string> tasks;
    for (const Pair& pair : pairing.pairs) {
      tasks.insert(pair.first->config.task);
      comparison.cells.insert({pair.first->config.task, pair.first->config.shots});
    }
    comparison.tasks = tasks.size();
    comparison.metrics = compare_metrics(
        pairing.pairs, chosen_metrics(pairing.pairs, options.metrics, comparison), options.seed);
    comparisons.push_back(std::move(comparison));
  }
  adjust(comparisons);
  return comparisons;
}

}  // namespace marquee::analysis
