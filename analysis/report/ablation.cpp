#include "analysis/report/ablation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "analysis/report/plot.h"
#include "analysis/report/samples.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"

namespace marquee::analysis {
namespace {

namespace fs = std::filesystem;
using experiments::RunConfig;
using nlohmann::json;

// Keys that belong to one factor, and those that come with them.
struct FactorKeys {
  std::string name;
  std::vector<std::string> own, also;
};

// In this order a difference is looked for; any other key is a factor of its own.
const std::vector<FactorKeys>& known_factors() {
  static const std::vector<FactorKeys> factors{
      {"base", {"base"}, {"prompt_length"}},
      {"method", {"method"}, {"learning_rate", "prompt_length", "lora_rank"}},
      {"marquee",
       {"marquee", "marquee_waypoints", "marquee_schedule", "marquee_space"},
       {"conditions", "sample_instances"}},
      {"conditions", {"conditions", "sample_instances", "instance_dropout"}, {}},
      {"prompt_kind", {"prompt_kind", "factors", "hidden_mapping"}, {}}};
  return factors;
}

template <typename Entry>
bool contains(const std::vector<Entry>& list, const Entry& entry) {
  return std::find(list.begin(), list.end(), entry) != list.end();
}

// What makes a variant: the keys that its method reads and that are off their default, wherever it
// was run.
json settings_of(RunConfig run) {
  const std::string base = run.base;
  run.task = run.shots = run.data_hash = run.base_hash = run.network_hash = "";
  run.seed = 0;
  json settings = json::parse(experiments::canonical_form(run));
  settings["base"] = base;
  return settings;
}

std::set<std::string> differing(const json& a, const json& b) {
  std::set<std::string> keys;
  for (const auto& [key, value] : a.items())
    if (!b.contains(key) || b.at(key) != value) keys.insert(key);
  for (const auto& [key, value] : b.items())
    if (!a.contains(key)) keys.insert(key);
  return keys;
}

// The factor in which two variants differ; nothing where there are several.
std::optional<FactorKeys> factor_between(const json& a, const json& b) {
  const std::set<std::string> keys = differing(a, b);
  if (keys.empty()) return std::nullopt;
  FactorKeys factor{*keys.begin(), {*keys.begin()}, {}};
  for (const FactorKeys& known : known_factors()) {
    const auto own = [&](const std::string& key) { return contains(known.own, key); };
    if (!std::any_of(keys.begin(), keys.end(), own)) continue;
    factor = known;
    break;
  }
  // Where one of two methods trains nothing, it reads no key of training and has none.
  const auto unread = [&](const std::string& key) {
    return (a.at("method") == "none" && !a.contains(key)) ||
           (b.at("method") == "none" && !b.contains(key));
  };
  const bool one = std::all_of(keys.begin(), keys.end(), [&](const std::string& key) {
    return contains(factor.own, key) || contains(factor.also, key) || unread(key);
  });
  if (!one) return std::nullopt;
  return factor;
}

struct Variant {
  json settings;
  std::vector<const ComparisonRow*> rows;
};

std::vector<Variant> variants_in(const Comparison& comparison) {
  std::vector<Variant> variants;
  for (const ComparisonRow& row : comparison.rows) {
    if (row.oracle || row.finished.empty()) continue;
    json settings = settings_of(row.config);
    auto place = std::find_if(variants.begin(), variants.end(),
                              [&](const Variant& variant) { return variant.settings == settings; });
    if (place == variants.end()) place = variants.insert(place, {std::move(settings), {}});
    place->rows.push_back(&row);
  }
  return variants;
}

// The one that most others differ from in one factor, of several the first. Not one that trains
// nothing, from which every variant of a method would.
std::size_t default_of(const std::vector<Variant>& variants) {
  std::size_t best = 0;
  std::ptrdiff_t most = -1;
  for (std::size_t i = 0; i < variants.size(); ++i) {
    if (variants[i].settings.at("method") == "none") continue;
    const auto count = std::count_if(variants.begin(), variants.end(), [&](const Variant& other) {
      return factor_between(variants[i].settings, other.settings).has_value();
    });
    if (count <= most) continue;
    most = count;
    best = i;
  }
  return best;
}

std::string value_text(const Variant& variant, const std::string& key) {
  const json value = experiments::to_json(variant.rows.front()->config).at(key);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// "prompt_kind=factorised, factors=4": the factor's keys, and those that came with them.
std::string name_of(const Variant& variant, const Variant& usual, const FactorKeys& factor) {
  if (factor.name == "method") return value_text(variant, "method");
  const std::set<std::string> keys = differing(variant.settings, usual.settings);
  std::string name;
  for (const auto* group : {&factor.also, &factor.own}) {
    for (const std::string& key : *group) {
      // Of the default, whose keys differ from nothing, the one that gives the factor its name.
      const bool shown = keys.contains(key) || (keys.empty() && key == factor.name);
      if (shown) name += (name.empty() ? "" : ", ") + key + "=" + value_text(variant, key);
    }
  }
  return name;
}

// The settings with the factor's own keys at their defaults.
json without_own(json settings, const FactorKeys& factor) {
  for (const std::string& key : factor.own) settings.erase(key);
  return settings;
}

// Of `members`, the variant that is as `variant` without the factor's own keys; the default where
// there is none.
std::size_t without_factor(const std::vector<const Variant*>& members, const Variant& variant,
                           const FactorKeys& factor) {
  const json plain = without_own(variant.settings, factor);
  if (factor.also.empty() || plain == variant.settings) return 0;
  for (std::size_t i = 0; i < members.size(); ++i)
    if (members[i]->settings == plain) return i;
  return 0;
}

// What the writer needs of a place where a variant was run.
using Place = std::pair<std::string, std::string>;  // task, shots

std::vector<Place> places_of(const AblationFactor& factor) {
  std::vector<Place> places;
  for (const ComparisonRow* row : factor.variants.front().rows)
    places.emplace_back(row->task, row->shots);
  return places;
}

const ComparisonRow* row_at(const AblationVariant& variant, const Place& place) {
  for (const ComparisonRow* row : variant.rows)
    if (row->task == place.first && row->shots == place.second) return row;
  return nullptr;
}

std::string place_text(const Place& place) {
  return place.first + ", " + place.second + (counts_images(place.second) ? " shots" : "");
}

constexpr const char* kShown[] = {"fid_mini", "recall", "coverage", "memorisation"};

Table factor_table(const AblationFactor& factor, const Place& place) {
  Table table{{factor.name, "seeds", "trained numbers"}, {}, {false, true, true}};
  for (const char* metric : kShown) table.header.emplace_back(metric);
  table.numeric.resize(table.header.size(), true);
  for (std::size_t i = 0; i < factor.variants.size(); ++i) {
    const AblationVariant& variant = factor.variants[i];
    const ComparisonRow* row = row_at(variant, place);
    if (row == nullptr) continue;
    std::vector<std::string> cells{variant.name + (i == 0 ? " (default)" : ""),
                                   std::to_string(row->finished.size()),
                                   std::to_string(row->trainable_parameters)};
    for (const char* metric : kShown) cells.push_back(summary_text(*row, metric));
    table.rows.push_back(std::move(cells));
  }
  return table;
}

std::optional<double> mean_of(const ComparisonRow& row, const char* metric) {
  const auto found = row.metrics.find(metric);
  if (found == row.metrics.end()) return std::nullopt;
  return found->second.mean;
}

// The marquee header's promise: recall or coverage up at a fid_mini no more than 5 % worse.
constexpr double kMostWorse = 0.05;
constexpr const char* kHolds = "yes";

Table header_table(const AblationFactor& factor) {
  Table table{{"marquee header", "against", "task, shots", "fid_mini", "recall", "coverage",
               "more at no more than 5 % worse fid_mini"},
              {},
              {false, false, false, true, true, true, false}};
  for (std::size_t i = 1; i < factor.variants.size(); ++i) {
    const AblationVariant &on = factor.variants[i], &off = factor.variants[factor.without[i]];
    if (on.rows.front()->config.marquee == "none") continue;
    for (const Place& place : places_of(factor)) {
      const ComparisonRow *with = row_at(on, place), *without = row_at(off, place);
      if (with == nullptr || without == nullptr) continue;
      const auto change = [&](const char* metric) {
        return mean_of(*with, metric).value_or(NAN) - mean_of(*without, metric).value_or(NAN);
      };
      const double fid = change("fid_mini") / mean_of(*without, "fid_mini").value_or(NAN),
                   recall = change("recall"), coverage = change("coverage");
      const bool holds = fid <= kMostWorse && (recall > 0 || coverage > 0);
      table.rows.push_back({on.name, off.name, place_text(place),
                            number_text("%+.1f %%", 100 * fid), number_text("%+.3f", recall),
                            number_text("%+.3f", coverage), holds ? kHolds : "no"});
    }
  }
  return table;
}

std::string chart_of(const AblationFactor& factor) {
  std::vector<DotSeries> series;
  for (const Place& place : places_of(factor)) {
    DotSeries dots{place_text(place), {}};
    for (const AblationVariant& variant : factor.variants) {
      const ComparisonRow* row = row_at(variant, place);
      dots.values.push_back(row == nullptr ? std::nullopt : mean_of(*row, "fid_mini"));
    }
    series.push_back(std::move(dots));
  }
  std::vector<std::string> names;
  for (const AblationVariant& variant : factor.variants) names.push_back(variant.name);
  return dot_plot(names, series, {"fid_mini by " + factor.name, "fid_mini", ""});
}

}  // namespace

Ablations find_ablations(const Comparison& comparison) {
  Ablations found;
  const std::vector<Variant> variants = variants_in(comparison);
  if (variants.empty()) return found;
  const Variant& usual = variants[default_of(variants)];
  std::map<std::string, std::pair<FactorKeys, std::vector<const Variant*>>> groups;
  for (const Variant& variant : variants) {
    if (&variant == &usual) continue;
    if (const auto factor = factor_between(usual.settings, variant.settings)) {
      groups.try_emplace(factor->name, *factor, std::vector<const Variant*>{&usual})
          .first->second.second.push_back(&variant);
    } else {
      found.left_out.push_back(variant.settings.dump());
    }
  }
  // What a variant is compared with may itself differ in what came with the factor.
  for (auto& [name, group] : groups) {
    auto& [factor, members] = group;
    if (factor.also.empty()) continue;
    std::vector<const Variant*> plain;
    for (const Variant* member : members) {
      const json settings = without_own(member->settings, factor);
      for (const Variant& variant : variants) {
        if (variant.settings == settings && !contains(members, &variant) &&
            !contains(plain, &variant))
          plain.push_back(&variant);
      }
    }
    members.insert(members.begin() + 1, plain.begin(), plain.end());
  }
  for (const auto& [name, group] : groups) {
    const auto& [factor, members] = group;
    AblationFactor result;
    result.name = name;
    for (const Variant* member : members) {
      result.variants.push_back({name_of(*member, usual, factor), member->rows});
      result.without.push_back(without_factor(members, *member, factor));
    }
    found.factors.push_back(std::move(result));
  }
  return found;
}

std::vector<fs::path> write_ablations(const fs::path& results, const std::string& sweep,
                                      const fs::path& folder) {
  const Comparison comparison = load_comparison(results / "results.sqlite", sweep);
  const Ablations ablations = find_ablations(comparison);
  if (ablations.factors.empty())
    cluster::throw_usage(results.string() +
                         ": no two finished variants differ in one factor; nothing to compare");
  cluster::create_directories_durably(folder);
  std::vector<fs::path> written{folder / "README.md"};
  std::string text =
      "# Ablations\n\nOne factor at a time from one default; written by `marquee ablations`. " +
      counting_text(comparison) + ".\n";
  for (const AblationFactor& factor : ablations.factors) {
    const std::string chart = factor.name + ".svg";
    cluster::write_file_durably(folder / chart, chart_of(factor));
    written.push_back(folder / chart);
    text += "\n## " + factor.name + "\n\n![fid_mini by " + factor.name + "](" + chart + ")\n";
    for (const Place& place : places_of(factor))
      text += "\n" + markdown_escaped(place_text(place)) + "\n\n" +
              markdown_text(factor_table(factor, place));
    if (factor.name != "marquee") continue;
    const Table table = header_table(factor);
    const auto kept = std::count_if(table.rows.begin(), table.rows.end(),
                                    [](const auto& cells) { return cells.back() == kHolds; });
    text +=
        "\nThe header on against off, the same otherwise. What is hoped for (recall or coverage "
        "up, fid_mini no more than 5 % worse) holds in " +
        std::to_string(kept) + " of " + std::to_string(table.rows.size()) + " cases.\n\n" +
        markdown_text(table);
    const Place place = places_of(factor).front();
    text += "\nSamples, " + markdown_escaped(place_text(place)) + "\n";
    for (const AblationVariant& variant : factor.variants) {
      const ComparisonRow* row = row_at(variant, place);
      const std::string picture =
          row == nullptr ? "" : copy_samples(results, row->finished.front(), folder);
      if (picture.empty()) continue;
      written.push_back(folder / picture);
      text += "\n" + variant.name + "\n\n![samples, " + variant.name + "](" + picture + ")\n";
    }
  }
  if (!ablations.left_out.empty()) {
    text += "\n## Left out\n\nVariants that differ from the default in several factors:\n\n";
    for (const std::string& settings : ablations.left_out) text += "* `" + settings + "`\n";
  }
  cluster::write_file_durably(written.front(), text);
  return written;
}

}  // namespace marquee::analysis
