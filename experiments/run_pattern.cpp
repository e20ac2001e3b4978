#include "experiments/run_pattern.h"

#include <algorithm>

#include "cluster/json_text.h"
#include "cluster/suggest.h"

namespace marquee::experiments {

using nlohmann::json;

namespace {

// Comparisons of values that all patterns together may take: some seconds.
constexpr std::size_t kMaxComparisons = 10'000'000;

}  // namespace

const std::vector<std::string>& settable_keys() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> names;
    const json defaults = to_json(RunConfig{});
    for (const auto& [key, value] : defaults.items()) {
      if (!key.ends_with("_hash") && key != "numerics_version" && key != "num_classes")
        names.push_back(key);
    }
    return names;
  }();
  return keys;
}

std::size_t Pattern::values() const {
  std::size_t count = 0;
  for (const auto& [key, settings] : keys) count += settings.size();
  return count;
}

Pattern read_pattern(const YamlSource& source, const YAML::Node& node, const std::string& name) {
  source.check_keys(node, name, settable_keys());
  if (node.size() == 0) source.fail(node, "'" + name + "' must name a key");
  Pattern pattern{node, {}};
  for (const auto& entry : node) {
    const std::string key = entry.first.Scalar();
    pattern.keys.emplace_back(key, source.setting_list(key, entry.second, /*or_one=*/true));
  }
  return pattern;
}

bool matches(const json& run, const Pattern& pattern) {
  return std::all_of(pattern.keys.begin(), pattern.keys.end(), [&](const auto& entry) {
    return std::any_of(entry.second.begin(), entry.second.end(), [&](const Setting& setting) {
      return run.at(entry.first) == setting.value;
    });
  });
}

void PatternSet::add(Pattern pattern, const std::string& name) {
  for (const auto& [key, settings] : pattern.keys) values_[key];
  patterns_.push_back(std::move(pattern));
  names_.push_back(name);
  matched_.push_back(false);
}

void PatternSet::check_effort(std::size_t runs) const {
  std::size_t values = 0;
  for (const Pattern& pattern : patterns_) {
    values += pattern.values();
    if (values * runs <= kMaxComparisons) continue;
    source_.fail(pattern.place, "patterns of " + std::to_string(values) +
                                    " values to be held against " + std::to_string(runs) +
                                    " runs; expected at most " + std::to_string(kMaxComparisons) +
                                    " comparisons: write fewer or shorter patterns");
  }
}

std::vector<std::size_t> PatternSet::match(const RunConfig& run) {
  const json content = to_json(run);
  for (auto& [key, present] : values_) present.insert(cluster::plain_text(content.at(key)));
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    if (!matches(content, patterns_[i])) continue;
    matched_[i] = true;
    places.push_back(i);
  }
  return places;
}

void PatternSet::check_every_one_matched() const {
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    if (!matched_[i]) fail_without_match(patterns_[i], names_[i]);
  }
}

void PatternSet::fail_without_match(const Pattern& pattern, const std::string& name) const {
  for (const auto& [key, settings] : pattern.keys) {
    const std::set<std::string>& found = values_.at(key);
    const bool any = std::any_of(settings.begin(), settings.end(), [&](const Setting& setting) {
      return found.count(cluster::plain_text(setting.value)) != 0;
    });
    if (any || found.empty()) continue;
    // A long axis is not listed whole.
    constexpr std::size_t kMostListed = 20;
    const std::vector<std::string> present(found.begin(), found.end());
    std::vector<std::string> listed = present;
    if (listed.size() > kMostListed) {
      listed.resize(kMostListed);
      listed.emplace_back("...");
    }
    const std::string value = cluster::plain_text(settings.front().value);
    source_.fail(settings.front().place, "'" + name + "' matches no run: '" + key + "' is " +
                                             value + cluster::did_you_mean(value, present) +
                                             "; the sweep has " + cluster::join(listed));
  }
  source_.fail(pattern.place, "'" + name + "' matches no run of the sweep");
}

}  // namespace marquee::experiments
