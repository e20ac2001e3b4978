// A YAML file of a user's whose errors name file and line: mappings of known keys to values of the
// type that RunConfig gives them.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

namespace marquee::experiments {

// A value and the place that it stands at.
struct Setting {
  nlohmann::json value;
  YAML::Node place;
};

using Settings = std::map<std::string, Setting>;

// What the scalar `text` is in the JSON type of RunConfig's key `key`. Throws usage
// "'KEY' is 'TEXT'; expected ...".
nlohmann::json read_scalar(const std::string& key, const std::string& text);

class YamlSource {
 public:
  // Reads at most 1 MiB. Throws environment when the file cannot be read, usage when it is not one
  // mapping or breaks a rule of yaml_limits.h.
  explicit YamlSource(const std::filesystem::path& path);

  const YAML::Node& root() const { return root_; }
  const std::string& bytes() const { return bytes_; }

  // Throws usage "FILE:LINE: what", control characters escaped.
  [[noreturn]] void fail(const YAML::Node& place, const std::string& what) const;

  // The same at the value of the key that `error` is about ("'KEY' is ..."), else at `otherwise`.
  [[noreturn]] void fail_key(const Settings& settings, const YAML::Node& otherwise,
                             const std::string& error) const;

  // Refuses what is no mapping, keys that are not in `valid`, and keys that stand there twice.
  void check_keys(const YAML::Node& node, const std::string& name,
                  const std::vector<std::string>& valid) const;
  // Refuses what is no list with an entry.
  void check_list(const YAML::Node& node, const std::string& name) const;

  // Values that are no run keys. An absent node gives `otherwise`.
  bool flag(const YAML::Node& node, const std::string& name, bool otherwise) const;
  double number(const YAML::Node& node, const std::string& name, double low, double high,
                double otherwise) const;
  int whole_number(const YAML::Node& node, const std::string& name, int low, int high,
                   int otherwise) const;

  // One value in the JSON type that RunConfig's key has.
  Setting setting(const std::string& key, const YAML::Node& node) const;
  // A list of such values; with `or_one` a single value is a list of one.
  std::vector<Setting> setting_list(const std::string& key, const YAML::Node& node,
                                    bool or_one) const;
  // A mapping of run keys to one value each; an absent node is empty.
  Settings settings(const YAML::Node& node, const std::string& name,
                    const std::vector<std::string>& valid) const;

 private:
  [[noreturn]] void fail_at(std::size_t line, const std::string& what) const;

  std::filesystem::path path_;
  std::string bytes_;
  YAML::Node root_;
};

}  // namespace marquee::experiments
