#include "analysis/report/run_facts.h"

#include <map>
#include <unordered_map>
#include <vector>

#include "cluster/json_text.h"
#include "experiments/phase_times.h"

namespace marquee::analysis {
namespace {

using nlohmann::json;

// Told for each run as they are.
constexpr const char* kOwn[] = {"attempt",       "started",       "ended",        "seconds",
                                "result_sha256", "prompt_sha256", "tokens_sha256"};

struct Made {
  json own = json::array();  // kOwn, and the host where hosts are shown
  std::map<std::string, json> facts;
};

std::unordered_map<std::string, Made> made_runs(SQLite::Database& database,
                                                const PrivateText& text) {
  std::unordered_map<std::string, Made> runs;
  SQLite::Statement rows(
      database,
      "SELECT a.run_id, a.attempt, a.started, a.ended, a.seconds, a.result_sha256, "
      "a.prompt_sha256, a.tokens_sha256, a.host, a.class_prior, a.fingerprint, a.provenance "
      "FROM attempts a JOIN runs r ON r.run_id = a.run_id AND a.attempt = r.counting_attempt");
  constexpr int kFirst = 1, kHost = 8, kPrior = 9, kFingerprint = 10, kProvenance = 11;
  while (rows.executeStep()) {
    Made made;
    for (int i = kFirst; i < kHost; ++i) {
      const SQLite::Column column = rows.getColumn(i);
      if (column.isInteger()) {
        made.own.push_back(column.getInt64());
      } else if (column.isFloat()) {
        made.own.push_back(column.getDouble());
      } else {
        made.own.push_back(text(column.getString()));
      }
    }
    if (text.shown()) made.own.push_back(rows.getColumn(kHost).getString());
    const auto parsed = [&](int column) {
      return json::parse(rows.getColumn(column).getString(), nullptr, /*allow_exceptions=*/false);
    };
    if (const json prior = parsed(kPrior); prior.is_array() && !prior.empty())
      made.facts["class_prior"] = prior;
    for (const auto& [name, column] :
         {std::pair{"fingerprint: ", kFingerprint}, {"provenance: ", kProvenance}}) {
      const json content = parsed(column);
      if (!content.is_object()) continue;
      for (const auto& [key, value] : content.items())
        if (key != experiments::kTimingKey && !value.is_null())
          made.facts[name + key] = text.within(value);
    }
    runs[rows.getColumn(0).getString()] = std::move(made);
  }
  return runs;
}

// Distinct values of one fact; the place of each.
class Values {
 public:
  std::size_t place_of(const json& value) {
    const auto [found, added] = places_.try_emplace(value.dump(), list_.size());
    if (added) list_.push_back(value);
    return found->second;
  }
  const json& list() const { return list_; }

 private:
  std::unordered_map<std::string, std::size_t> places_;
  json list_ = json::array();
};

// Keys of the rows' configurations that differ; the others go to `common`.
std::vector<json> configurations(const Comparison& comparison, Table& common) {
  std::vector<json> contents;
  std::set<std::string> differing;
  const json* first = nullptr;
  for (const ComparisonRow& row : comparison.rows) {
    json content = row.finished.empty() ? json::object() : experiments::to_json(row.config);
    content.erase("seed");  // stands with each run
    contents.push_back(std::move(content));
  }
  for (const json& content : contents) {
    if (content.empty()) continue;
    if (first == nullptr) first = &content;
    for (const auto& [key, value] : content.items())
      if (first->at(key) != value) differing.insert(key);
  }
  if (first == nullptr) return contents;
  const json same = *first;
  for (const auto& [key, value] : same.items()) {
    if (differing.contains(key)) continue;
    const std::string text = cluster::plain_text(value);
    if (!text.empty()) common.rows.push_back({"configuration: " + key, text});
  }
  for (json& content : contents)
    for (const auto& [key, value] : same.items())
      if (!differing.contains(key)) content.erase(key);
  return contents;
}

}  // namespace

std::string row_title(const ComparisonRow& row) {
  return row.task + ", " + row.name() + (row.oracle ? "" : ", " + shots_text(row.shots));
}

RunFacts run_facts(SQLite::Database& database, const Comparison& comparison,
                   const PrivateText& text) {
  RunFacts facts;
  facts.common = {{"key", "value"}, {}, {false, false}};
  const std::unordered_map<std::string, Made> made = made_runs(database, text);

  // Which facts there are and which differ.
  std::map<std::string, Values> values;
  for (const auto& [id, run] : made)
    for (const auto& [key, value] : run.facts) values.try_emplace(key);
  std::vector<std::pair<json, std::vector<std::size_t>>> runs;
  for (std::size_t place = 0; place < comparison.rows.size(); ++place) {
    for (const RunEntry& entry : comparison.rows[place].finished) {
      const auto known = made.find(entry.run_id);
      if (known == made.end()) continue;
      json line = json::array({place, entry.seed, entry.run_id});
      for (const json& own : known->second.own) line.push_back(own);
      std::vector<std::size_t> places;
      for (auto& [key, list] : values) {
        const auto fact = known->second.facts.find(key);
        places.push_back(list.place_of(fact == known->second.facts.end() ? json() : fact->second));
      }
      const auto device = known->second.facts.find("fingerprint: device");
      if (device != known->second.facts.end() && device->second != "cpu") ++facts.on_gpu;
      runs.emplace_back(std::move(line), std::move(places));
    }
  }
  json keys = json::array(), lists = json::array();
  std::vector<bool> differs;
  for (const auto& [key, list] : values) {
    differs.push_back(list.list().size() > 1);
    if (differs.back()) {
      keys.push_back(key);
      lists.push_back(list.list());
    } else if (!list.list().empty()) {
      facts.common.rows.push_back({key, cluster::plain_text(list.list().front())});
    }
  }
  json lines = json::array();
  for (auto& [line, places] : runs) {
    for (std::size_t i = 0; i < places.size(); ++i)
      if (differs[i]) line.push_back(places[i]);
    lines.push_back(std::move(line));
  }
  json rows = json::array();
  const std::vector<json> contents = configurations(comparison, facts.common);
  for (std::size_t i = 0; i < comparison.rows.size(); ++i)
    rows.push_back({{"name", row_title(comparison.rows[i])}, {"config", contents[i]}});
  json columns(kOwn);
  if (text.shown()) columns.push_back("host");
  facts.runs = {
      {"rows", rows}, {"columns", columns}, {"keys", keys}, {"values", lists}, {"runs", lines}};
  return facts;
}

}  // namespace marquee::analysis
