#include "analysis/report/ablation.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "cluster/json_text.h"

namespace marquee::analysis {
namespace {

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
  return cluster::plain_text(experiments::to_json(variant.rows.front()->config).at(key));
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

}  // namespace marquee::analysis
