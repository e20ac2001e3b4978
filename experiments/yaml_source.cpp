#include "experiments/yaml_source.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/suggest.h"
#include "cluster/text.h"
#include "experiments/run_config.h"
#include "experiments/yaml_limits.h"

namespace marquee::experiments {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kMaxBytes = std::uintmax_t{1} << 20;

const json& default_of(const std::string& key) {
  static const json defaults = to_json(RunConfig{});
  return defaults.at(key);
}

std::string expected_type(const json& like) {
  if (like.is_boolean()) return "true or false";
  if (like.is_number_float()) return "a number";
  if (like.is_number_unsigned()) return "a whole number from 0 to " + std::to_string(UINT64_MAX);
  return "a whole number from " + std::to_string(INT32_MIN) + " to " + std::to_string(INT32_MAX);
}

// The number that a scalar is, written in decimal: YAML's octal and hexadecimal forms, a leading
// zero, infinities and what does not fit are none.
template <typename Number>
std::optional<Number> number_in(const std::string& text) {
  const std::size_t digits = text.starts_with("-") || text.starts_with("+") ? 1 : 0;
  if (text.size() > digits + 1 && text[digits] == '0' && std::isdigit(text[digits + 1]) != 0)
    return std::nullopt;
  Number number{};
  const char* end = text.data() + text.size();
  const auto [rest, error] =
      std::from_chars(text.data() + (text.starts_with("+") ? 1 : 0), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(number)) return std::nullopt;
  }
  return number;
}

template <typename Number>
std::optional<Number> number_in(const YAML::Node& node) {
  if (!node.IsScalar()) return std::nullopt;
  return number_in<Number>(node.Scalar());
}

}  // namespace

json read_scalar(const std::string& key, const std::string& text) {
  const json& like = default_of(key);
  if (like.is_string()) return text;
  if (bool truth = false; like.is_boolean() && YAML::convert<bool>::decode(YAML::Node(text), truth))
    return truth;
  if (like.is_number_unsigned()) {
    if (const auto value = number_in<std::uint64_t>(text)) return *value;
  } else if (like.is_number_integer()) {
    if (const auto value = number_in<int>(text)) return *value;
  } else if (like.is_number_float()) {
    if (const auto value = number_in<double>(text)) return *value;
  }
  cluster::throw_usage("'" + key + "' is '" + text + "'; expected " + expected_type(like));
}

YamlSource::YamlSource(const std::filesystem::path& path) : path_(path) {
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error) &&
      std::filesystem::file_size(path, error) > kMaxBytes) {
    fail_at(1, "is " + std::to_string(std::filesystem::file_size(path, error)) +
                   " bytes; expected at most " + std::to_string(kMaxBytes));
  }
  bytes_ = cluster::read_file(path, kMaxBytes);
  const auto nul = std::find(bytes_.begin(), bytes_.end(), '\0');
  if (nul != bytes_.end()) {
    fail_at(static_cast<std::size_t>(std::count(bytes_.begin(), nul, '\n')) + 1,
            "holds a NUL byte; expected YAML text");
  }
  try {
    check_yaml(bytes_, [this](std::size_t line, const std::string& what) { fail_at(line, what); });
    root_ = YAML::Load(bytes_);
  } catch (const YAML::Exception& problem) {
    fail_at(static_cast<std::size_t>(std::max(0, problem.mark.line)) + 1, problem.msg);
  }
  if (!root_.IsMap()) fail(root_, "expected keys and values");
}

void YamlSource::fail_at(std::size_t line, const std::string& what) const {
  cluster::throw_usage(
      cluster::printable(path_.string() + ":" + std::to_string(line) + ": " + what));
}

void YamlSource::fail(const YAML::Node& place, const std::string& what) const {
  // What is not there has no mark: the file's first line stands for it.
  fail_at(static_cast<std::size_t>(std::max(0, place.Mark().line)) + 1, what);
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
  const std::optional<double> value = number_in<double>(node);
  if (!value || !(*value >= low) || !(*value <= high)) {
    fail(node,
         "'" + name + "' must be a number from " + json(low).dump() + " to " + json(high).dump());
  }
  return *value;
}

int YamlSource::whole_number(const YAML::Node& node, const std::string& name, int low, int high,
                             int otherwise) const {
  if (!node) return otherwise;
  const std::optional<int> value = number_in<int>(node);
  if (!value || *value < low || *value > high) {
    fail(node, "'" + name + "' must be a whole number from " + std::to_string(low) + " to " +
                   std::to_string(high));
  }
  return *value;
}

Setting YamlSource::setting(const std::string& key, const YAML::Node& node) const {
  if (!node.IsScalar()) fail(node, "'" + key + "' must be one value");
  try {
    return {read_scalar(key, node.Scalar()), node};
  } catch (const cluster::Error& error) {
    fail(node, error.what());
  }
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
