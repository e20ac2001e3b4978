// Patterns of sweep files: run keys with the values that they may have. A run matches when every
// key has one of them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include "experiments/run_config.h"
#include "experiments/yaml_source.h"

namespace marquee::experiments {

// Keys of RunConfig that a sweep may set, without what only the program fills in.
const std::vector<std::string>& settable_keys();

struct Pattern {
  YAML::Node place;
  std::vector<std::pair<std::string, std::vector<Setting>>> keys;

  std::size_t values() const;  // of all keys together
};

// A mapping of run keys to a value or a list of values. Throws usage for anything else, and for no
// key.
Pattern read_pattern(const YamlSource& source, const YAML::Node& node, const std::string& name);

// `run`: every key, as to_json(RunConfig) gives them.
bool matches(const nlohmann::json& run, const Pattern& pattern);

// Patterns that the runs of a sweep are held against one by one. `source` must outlive it.
class PatternSet {
 public:
  explicit PatternSet(const YamlSource& source) : source_(source) {}

  // `name` stands in errors.
  void add(Pattern pattern, const std::string& name);
  bool empty() const { return patterns_.empty(); }

  // Throws usage where it would take minutes to hold so many runs against these patterns.
  void check_effort(std::size_t runs) const;
  // Places (in the order of add) of the patterns that match.
  std::vector<std::size_t> match(const RunConfig& run);
  // Throws usage for the first pattern that no run matched, naming its first value that no run has.
  void check_every_one_matched() const;

 private:
  [[noreturn]] void fail_without_match(const Pattern& pattern, const std::string& name) const;

  const YamlSource& source_;
  std::vector<Pattern> patterns_;
  std::vector<std::string> names_;
  std::vector<bool> matched_;
  // Of the patterns' keys, among the runs so far.
  std::map<std::string, std::set<std::string>> values_;
};

}  // namespace marquee::experiments
