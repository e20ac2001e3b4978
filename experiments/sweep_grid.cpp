#include "experiments/sweep_grid.h"

#include <algorithm>
#include <set>

#include "experiments/run_pattern.h"

namespace marquee::experiments {
namespace {

const std::vector<std::string>& required_axes() {
  static const std::vector<std::string> axes{"task", "shots", "method", "seed"};
  return axes;
}

// The lists of a mapping as factors, the required axes first.
Grid read_lists(const YamlSource& source, const YAML::Node& node, const std::string& name,
                bool or_one) {
  source.check_keys(node, name, settable_keys());
  Grid factors;
  const auto add = [&](const std::string& key, const YAML::Node& list) {
    GridFactor factor;
    factor.keys = {key};
    for (Setting& setting : source.setting_list(key, list, or_one))
      factor.choices.push_back({std::move(setting)});
    factors.push_back(std::move(factor));
  };
  for (const std::string& axis : required_axes()) {
    if (node[axis]) add(axis, node[axis]);
  }
  for (const auto& entry : node) {
    if (!is_required_axis(entry.first.Scalar())) add(entry.first.Scalar(), entry.second);
  }
  return factors;
}

GridFactor read_zip(const YamlSource& source, const YAML::Node& node) {
  source.check_keys(node, "zip", settable_keys());
  if (node.size() == 0) source.fail(node, "'zip' must hold lists of one length");
  GridFactor factor;
  for (const auto& entry : node) {
    const std::string key = entry.first.Scalar();
    std::vector<Setting> list = source.setting_list(key, entry.second, /*or_one=*/false);
    if (factor.keys.empty()) factor.choices.resize(list.size());
    if (list.size() != factor.choices.size()) {
      source.fail(entry.second, "'" + key + "' has " + std::to_string(list.size()) +
                                    " entries; expected " + std::to_string(factor.choices.size()) +
                                    " as '" + factor.keys.front() +
                                    "' has: lists of a zip are walked together");
    }
    factor.keys.push_back(key);
    for (std::size_t i = 0; i < list.size(); ++i) factor.choices[i].push_back(std::move(list[i]));
  }
  return factor;
}

// Every required axis once, nothing twice.
void check_axes(const YamlSource& source, const Grid& factors, const YAML::Node& place,
                const std::string& wanted) {
  std::set<std::string> seen;
  for (const GridFactor& factor : factors) {
    for (const std::string& key : factor.keys) {
      if (!seen.insert(key).second) source.fail(place, "'" + key + "' is given twice");
    }
  }
  for (const std::string& axis : required_axes()) {
    if (seen.count(axis) == 0) source.fail(place, "'" + axis + "' " + wanted);
  }
}

}  // namespace

bool is_required_axis(const std::string& key) {
  const std::vector<std::string>& axes = required_axes();
  return std::find(axes.begin(), axes.end(), key) != axes.end();
}

Grid read_grid(const YamlSource& source) {
  const YAML::Node& root = source.root();
  Grid factors;
  if (root["matrix"]) factors = read_lists(source, root["matrix"], "matrix", /*or_one=*/false);
  if (const YAML::Node zip = root["zip"]) {
    if (zip.IsSequence()) {
      source.check_list(zip, "zip");
      for (const auto& entry : zip) factors.push_back(read_zip(source, entry));
    } else {
      factors.push_back(read_zip(source, zip));
    }
  }
  check_axes(source, factors, root["matrix"] ? root["matrix"] : root["zip"],
             "must be a list with at least one entry in 'matrix' or 'zip'");
  return factors;
}

Grid read_included_grid(const YamlSource& source, const YAML::Node& entry) {
  const Grid factors = read_lists(source, entry, "include", /*or_one=*/true);
  check_axes(source, factors, entry, "must have a value in this entry of 'include'");
  return factors;
}

}  // namespace marquee::experiments
