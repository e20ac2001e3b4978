#include "experiments/yaml_source.h"

#include <algorithm>
#include <set>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/suggest.h"
#include "experiments/run_config.h"

namespace marquee::experiments {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kMaxBytes = std::uintmax_t{1} << 20;

const json& default_of(const std::string& key) {
  static const json defaults = to_json(RunConfig{});
  return defaults.at(key);
}

const char* expected_type(const json& like) {
  if (like.is_boolean()) return "true or false";
  if (like.is_number_float()) return "a number";
  if (like.is_number_unsigned()) return "a whole number from 0 up";
  return "a whole number";
}

}  // namespace

YamlSource::YamlSource(const std::filesystem::path& path)
    : path_(path), bytes_(cluster::read_file(path, kMaxBytes)) {
  const auto nul = std::find(bytes_.begin(), bytes_.end(), '\0');
  if (nul != bytes_.end()) {
    cluster::throw_usage(path_.string() + ":" +
                         std::to_string(std::count(bytes_.begin(), nul, '\n') + 1) +
                         ": holds a NUL byte; expected YAML text");
  }
  try {
    root_ = YAML::Load(bytes_);
  } catch (const YAML::Exception& error) {
    cluster::throw_usage(path_.string() + ":" + std::to_string(error.mark.line + 1) + ": " +
                         error.msg);
  }
  if (!root_.IsMap()) fail(root_, "expected keys and values");
}

void YamlSource::fail(const YAML::Node& place, const std::string& what) const {
  cluster::throw_usage(path_.string() + ":" + std::to_string(place.Mark().line + 1) + ": " + what);
}

void YamlSource::fail_key(const Settings& settings, const YAML::Node& otherwise,
                          const std::string& error) const {
  for (const auto& [key, setting] : settings) {
    if (error.find("'" + key + "' is") != std::string::npos) fail(setting.place, error);
  }
  fail(otherwise, error);
}

void YamlSource::check_keys(const YAML::Node& node, const std::string& name,
                            const std::vector<std::string>& valid) const {
  if (!node.IsMap()) fail(node, "'" + name + "' must hold keys and values");
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    if (std::find(valid.begin(), valid.end(), key) == valid.end()) {
      fail(entry.first, "unknown key '" + key + "' in '" + name + "'" +
                            cluster::did_you_mean(key, valid) + "; expected one of " +
                            cluster::join(valid));
    }
    if (!seen.insert(key).second)
      fail(entry.first, "key '" + key + "' stands twice in '" + name + "'");
  }
}

void YamlSource::check_list(const YAML::Node& node, const std::string& name) const {
  if (!node.IsSequence() || node.size() == 0)
    fail(node, "'" + name + "' must be a list with at least one entry");
}

bool YamlSource::flag(const YAML::Node& node, const std::string& name, bool otherwise) const {
  if (!node) return otherwise;
  bool value = false;
  if (!node.IsScalar() || !YAML::convert<bool>::decode(node, value))
    fail(node, "'" + name + "' must be true or false");
  return value;
}

double YamlSource::number(const YAML::Node& node, const std::string& name, double low, double high,
                          double otherwise) const {
  if (!node) return otherwise;
  double value = 0;
  if (!node.IsScalar() || !YAML::convert<double>::decode(node, value) || !(value >= low) ||
      !(value <= high)) {
    fail(node,
         "'" + name + "' must be a number from " + json(low).dump() + " to " + json(high).dump());
  }
  return value;
}

int YamlSource::whole_number(const YAML::Node& node, const std::string& name, int low, int high,
                             int otherwise) const {
  if (!node) return otherwise;
  int value = 0;
  if (!node.IsScalar() || !YAML::convert<int>::decode(node, value) || value < low || value > high) {
    fail(node, "'" + name + "' must be a whole number from " + std::to_string(low) + " to " +
                   std::to_string(high));
  }
  return value;
}

Setting YamlSource::setting(const std::string& key, const YAML::Node& node) const {
  const json& like = default_of(key);
  if (!node.IsScalar()) fail(node, "'" + key + "' must be one value");
  try {
    if (like.is_boolean()) return {node.as<bool>(), node};
    if (like.is_number_unsigned()) return {node.as<std::uint64_t>(), node};
    if (like.is_number_integer()) return {node.as<int>(), node};
    if (like.is_number_float()) return {node.as<double>(), node};
  } catch (const YAML::Exception&) {
    fail(node, "'" + key + "' is '" + node.Scalar() + "'; expected " + expected_type(like));
  }
  return {node.Scalar(), node};
}

std::vector<Setting> YamlSource::setting_list(const std::string& key, const YAML::Node& node,
                                              bool or_one) const {
  if (or_one && node.IsScalar()) return {setting(key, node)};
  check_list(node, key);
  std::vector<Setting> list;
  for (const auto& entry : node) list.push_back(setting(key, entry));
  return list;
}

Settings YamlSource::settings(const YAML::Node& node, const std::string& name,
                              const std::vector<std::string>& valid) const {
  Settings values;
  if (!node) return values;
  check_keys(node, name, valid);
  for (const auto& entry : node)
    values[entry.first.Scalar()] = setting(entry.first.Scalar(), entry.second);
  return values;
}

}  // namespace marquee::experiments
