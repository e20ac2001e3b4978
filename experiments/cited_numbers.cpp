#include "experiments/cited_numbers.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "cluster/error.h"
#include "cluster/suggest.h"
#include "datasets/shots.h"
#include "datasets/task.h"
#include "experiments/yaml_source.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostReferences = 500, kMostNumbers = 5'000;
constexpr std::size_t kShortText = 100, kLongText = 500;  // bytes
constexpr double kLargestValue = 1e9;

struct Reference {
  std::string citation, url;
};

class Reader {
 public:
  Reader(const fs::path& file, const std::vector<std::string>& metrics)
      : source_(file), metrics_(metrics) {}

  std::vector<CitedNumber> read() {
    const YAML::Node& root = source_.root();
    source_.check_keys(root, "references.yaml", {"references", "numbers"});
    read_references(required(root, "references", "the file"));
    const YAML::Node numbers = required(root, "numbers", "the file");
    source_.check_list(numbers, "numbers");
    if (numbers.size() > kMostNumbers)
      source_.fail(numbers, "'numbers' holds " + std::to_string(numbers.size()) +
                                " entries; expected at most " + std::to_string(kMostNumbers));
    std::vector<CitedNumber> read;
    for (const auto& entry : numbers) read.push_back(read_number(entry));
    return read;
  }

 private:
  YAML::Node required(const YAML::Node& node, const std::string& key,
                      const std::string& where) const {
    const YAML::Node value = node[key];
    if (!value) source_.fail(node, "'" + key + "' is missing in " + where);
    return value;
  }

  std::string text(const YAML::Node& node, const std::string& key, std::size_t most) const {
    if (!node.IsScalar() || node.Scalar().find_first_not_of(' ') == std::string::npos)
      source_.fail(node, "'" + key + "' must be a text");
    if (node.Scalar().size() > most) {
      source_.fail(node, "'" + key + "' is a text of " + std::to_string(node.Scalar().size()) +
                             " bytes; expected at most " + std::to_string(most));
    }
    return node.Scalar();
  }

  // One of a few words.
  std::string word(const YAML::Node& node, const std::string& key,
                   const std::vector<std::string>& known) const {
    const std::string value = text(node, key, kShortText);
    if (std::find(known.begin(), known.end(), value) == known.end()) {
      source_.fail(node, "'" + key + "' is '" + value + "'" + cluster::did_you_mean(value, known) +
                             "; expected one of " + cluster::join(known));
    }
    return value;
  }

  // Becomes a link of the report's page: nothing that runs, and nothing that ends an attribute.
  std::string url(const YAML::Node& node) const {
    const std::string value = text(node, "url", kLongText);
    const bool plain = std::all_of(value.begin(), value.end(), [](char c) {
      return c > ' ' && c <= '~' && std::string("\"'<>\\^`{|}").find(c) == std::string::npos;
    });
    const std::size_t host = value.starts_with("https://")  ? 8
                             : value.starts_with("http://") ? 7
                                                            : std::string::npos;
    if (host == std::string::npos || host >= value.size() || !plain) {
      source_.fail(node, "'url' is '" + value +
                             "'; expected http:// or https:// and an address without spaces and "
                             "quotes");
    }
    return value;
  }

  void read_references(const YAML::Node& node) {
    if (!node.IsMap() || node.size() == 0)
      source_.fail(node, "'references' must hold keys, each with a citation");
    if (node.size() > kMostReferences) {
      source_.fail(node, "'references' holds " + std::to_string(node.size()) +
                             " entries; expected at most " + std::to_string(kMostReferences));
    }
    for (const auto& entry : node) {
      const std::string key = text(entry.first, "references", kShortText);
      const std::string where = "reference '" + key + "'";
      source_.check_keys(entry.second, key, {"citation", "url"});
      Reference reference;
      reference.citation = text(required(entry.second, "citation", where), "citation", kLongText);
      if (const YAML::Node address = entry.second["url"]) reference.url = url(address);
      references_[key] = std::move(reference);
      keys_.push_back(key);
    }
  }

  std::string shots(const YAML::Node& node) const {
    const std::string value = text(node, "shots", kShortText);
    try {
      datasets::shots_per_class(value);
    } catch (const cluster::Error&) {
      source_.fail(node, "'shots' is '" + value +
                             "'; expected a number of images per class, vtab1k or full");
    }
    return value;
  }

  CitedNumber read_number(const YAML::Node& node) {
    source_.check_keys(
        node, "numbers",
        {"reference", "generator", "task", "shots", "metric", "value", "protocol", "page", "note"});
    const auto part = [&](const char* key) { return required(node, key, "an entry of 'numbers'"); };
    CitedNumber number;
    number.reference = word(part("reference"), "reference", keys_);
    number.citation = references_.at(number.reference).citation;
    number.url = references_.at(number.reference).url;
    number.generator = text(part("generator"), "generator", kShortText);
    number.task = word(part("task"), "task", datasets::task_names());
    number.shots = shots(part("shots"));
    number.metric = word(part("metric"), "metric", metrics_);
    const YAML::Node value = part("value");
    number.value = source_.number(value, "value", -kLargestValue, kLargestValue, 0);
    number.value_text = text(value, "value", kShortText);
    number.protocol = text(part("protocol"), "protocol", kLongText);
    number.page = text(part("page"), "page", kShortText);
    if (const YAML::Node note = node["note"]) number.note = text(note, "note", kLongText);
    if (!seen_
             .insert({number.reference, number.generator, number.task, number.shots, number.metric,
                      number.protocol})
             .second) {
      source_.fail(node, "'numbers' holds " + number.metric + " of '" + number.generator + "', " +
                             number.task + ", " + number.shots +
                             " shots twice with the same 'reference' and 'protocol'");
    }
    return number;
  }

  YamlSource source_;
  const std::vector<std::string>& metrics_;
  std::map<std::string, Reference> references_;
  std::vector<std::string> keys_;
  std::set<std::tuple<std::string, std::string, std::string, std::string, std::string, std::string>>
      seen_;
};

}  // namespace

std::vector<CitedNumber> read_cited_numbers(const fs::path& file,
                                            const std::vector<std::string>& metrics) {
  return Reader(file, metrics).read();
}

std::vector<CitedNumber> find_cited_numbers(const fs::path& file, const fs::path& results,
                                            const std::vector<std::string>& metrics) {
  if (!file.empty()) return read_cited_numbers(file, metrics);
  if (results.empty()) return {};
  const fs::path usual = results / "references.yaml";
  std::error_code error;
  // A link that leads nowhere is there, and is an error.
  if (fs::symlink_status(usual, error).type() == fs::file_type::not_found) return {};
  return read_cited_numbers(usual, metrics);
}

}  // namespace marquee::experiments
