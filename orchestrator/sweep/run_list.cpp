#include "orchestrator/sweep/run_list.h"

#include <set>

#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/text.h"

namespace marquee::orchestrator {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kMaxBytes = std::uintmax_t{256} << 20;
constexpr std::size_t kMaxRuns = 200'000, kMaxWords = 100, kMaxWordBytes = 4096;

class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) : file_(file) {}

  RunList read() {
    const json content = json::parse(cluster::read_file(file_, kMaxBytes), nullptr, false);
    if (!content.is_object()) fail("expected an object with the key runs");
    for (const auto& [key, value] : content.items())
      if (key != "runs" && key != "from" && key != "set") fail("unknown key '" + key + "'");
    RunList list;
    if (!content.contains("runs")) fail("key 'runs' is missing");
    for (const json& run : array(content.at("runs"), "runs", kMaxRuns))
      list.runs.push_back(read_run(run));
    if (content.contains("from") != content.contains("set"))
      fail("expected 'from' and 'set' together");
    if (!content.contains("from")) return list;
    list.from = read_from(content.at("from"), list.runs.size());
    for (const json& word : array(content.at("set"), "set", kMaxWords))
      list.set.push_back(read_word(word));
    return list;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    cluster::throw_environment(
        cluster::printable(file_.string() + ": is no list of runs: " + what));
  }

  const json& array(const json& value, const std::string& name, std::size_t most) const {
    if (!value.is_array()) fail("'" + name + "' must be an array");
    if (value.empty() || value.size() > most) {
      fail("'" + name + "' has " + std::to_string(value.size()) + " entries; expected 1 to " +
           std::to_string(most));
    }
    return value;
  }

  experiments::RunConfig read_run(const json& content) {
    try {
      experiments::RunConfig run = experiments::run_config_from_json(content);
      experiments::check_run(run);
      if (!ids_.insert(experiments::run_id(run).text()).second)
        fail("run " + experiments::run_id(run).short_text() + " stands there twice");
      return run;
    } catch (const json::exception& error) {  // text that is no UTF-8
      fail(error.what());
    } catch (const cluster::Error& error) {
      if (error.kind() != cluster::ErrorKind::usage) throw;
      fail(error.what());
    }
  }

  std::vector<std::vector<std::string>> read_from(const json& content, std::size_t runs) const {
    if (array(content, "from", kMaxRuns).size() != runs) {
      fail("'from' has " + std::to_string(content.size()) + " entries; expected " +
           std::to_string(runs) + " as 'runs' has");
    }
    std::vector<std::vector<std::string>> from;
    std::size_t total = 0;
    for (const json& ids : content) {
      total += array(ids, "from", kMaxRuns).size();
      if (total > kMaxRuns) fail("'from' names more than " + std::to_string(kMaxRuns) + " runs");
      from.emplace_back();
      for (const json& id : ids) from.back().push_back(read_id(id));
    }
    return from;
  }

  std::string read_id(const json& id) const {
    try {
      return experiments::RunId(id.is_string() ? id.get<std::string>() : "").text();
    } catch (const cluster::Error& error) {
      fail(std::string("in 'from' ") + error.what());
    }
  }

  std::string read_word(const json& word) const {
    if (!word.is_string()) fail("'set' must hold texts");
    auto text = word.get<std::string>();
    if (text.size() > kMaxWordBytes)
      fail("a text in 'set' is longer than " + std::to_string(kMaxWordBytes) + " bytes");
    return text;
  }

  const std::filesystem::path& file_;
  std::set<std::string> ids_;
};

}  // namespace

void write_run_list(const std::filesystem::path& file, const RunList& list) {
  json content{{"runs", json::array()}};
  for (const experiments::RunConfig& run : list.runs)
    content["runs"].push_back(experiments::to_json(run));
  if (list.derived()) {
    content["from"] = list.from;
    content["set"] = list.set;
  }
  cluster::write_file_durably(file, content.dump() + "\n");
}

RunList read_run_list(const std::filesystem::path& file) {
  return Reader(file).read();
}

}  // namespace marquee::orchestrator
