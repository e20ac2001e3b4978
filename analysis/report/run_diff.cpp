#include "analysis/report/run_diff.h"

#include <algorithm>
#include <map>

#include "analysis/report/database.h"
#include "analysis/report/table.h"
#include "cluster/error.h"
#include "cluster/suggest.h"
#include "cluster/text.h"

namespace marquee::analysis {
namespace {

using nlohmann::json;

constexpr std::size_t kShortId = 12, kLongestCell = 60;

struct Made {
  json configuration, how = json::object();
  std::map<std::string, std::string> content;
};

json object_in(const SQLite::Column& text) {
  if (text.isNull()) return json::object();
  json content = json::parse(text.getString(), nullptr, /*allow_exceptions=*/false);
  return content.is_object() ? content : json::object();
}

// `attempt` 0: the one that counts, if there is one.
Made read_made(SQLite::Database& database, const std::string& run, int attempt) {
  SQLite::Statement row(
      database,
      "SELECT r.config, a.attempt, a.fingerprint, a.provenance, a.result_sha256, a.prompt_sha256, "
      "a.tokens_sha256, a.host FROM runs r LEFT JOIN attempts a ON a.run_id = r.run_id AND "
      "a.attempt = CASE WHEN ?2 = 0 THEN r.counting_attempt ELSE ?2 END WHERE r.run_id = ?1");
  row.bind(1, run);
  row.bind(2, attempt);
  const bool found = row.executeStep();
  if (!found || (attempt != 0 && row.getColumn(1).isNull())) {
    cluster::throw_usage("run " + run.substr(0, kShortId) +
                         (attempt == 0 ? "" : " has no attempt " + std::to_string(attempt)) +
                         (found ? "" : " is not in this database"));
  }
  Made made;
  made.configuration = object_in(row.getColumn(0));
  made.how.update(object_in(row.getColumn(2)));
  made.how.update(object_in(row.getColumn(3)));
  made.how.erase("timing");
  if (!row.getColumn(7).isNull()) made.how["host"] = row.getColumn(7).getString();
  const std::vector<std::string> names{"result", "prompt", "tokens"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const SQLite::Column hash = row.getColumn(static_cast<int>(i) + 4);
    if (!hash.isNull()) made.content[names[i]] = hash.getString();
  }
  return made;
}

std::string cell(const json& value) {
  std::string text = value.is_null() ? "-"
                     : value.is_string()
                         ? value.get<std::string>()
                         : value.dump(-1, ' ', true, json::error_handler_t::replace);
  text = cluster::printable(text);
  // Hashes and lists: their start; --json has all of them.
  return text.size() > kLongestCell ? text.substr(0, kLongestCell - 4) + " ..." : text;
}

std::string table_of(const std::string& title, const std::vector<FieldDifference>& fields,
                     const std::string& none) {
  if (fields.empty()) return none + "\n\n";
  Table table{{title, "before", "after"}, {}, {false, false, false}};
  for (const FieldDifference& field : fields)
    table.rows.push_back({field.field, cell(field.before), cell(field.after)});
  return aligned_text(table) + "\n";
}

json to_json(const std::vector<FieldDifference>& fields) {
  json list = json::array();
  for (const FieldDifference& field : fields)
    list.push_back({{"field", field.field}, {"before", field.before}, {"after", field.after}});
  return list;
}

void collect(const std::string& path, const json& before, const json& after,
             std::vector<FieldDifference>& found) {
  if (before == after) return;
  if (!before.is_object() || !after.is_object()) {
    found.push_back({path, before, after});
    return;
  }
  std::map<std::string, std::pair<json, json>> members;
  for (const auto& item : before.items()) members[item.key()].first = item.value();
  for (const auto& item : after.items()) members[item.key()].second = item.value();
  for (const auto& [key, values] : members)
    collect(path.empty() ? key : path + "/" + key, values.first, values.second, found);
}

}  // namespace

std::vector<FieldDifference> field_differences(const json& before, const json& after) {
  std::vector<FieldDifference> found;
  collect("", before, after, found);
  return found;
}

RunDiff load_run_diff(const std::filesystem::path& path, const RunPair& pair) {
  RunDiff diff;
  try {
    SQLite::Database database = open_published(path);
    const Made before = read_made(database, pair.before, pair.before_attempt);
    const Made after = read_made(database, pair.after, pair.after_attempt);
    diff.configuration = field_differences(before.configuration, after.configuration);
    diff.made = field_differences(before.how, after.how);
    diff.content = field_differences(before.content, after.content);
    for (const auto& [name, hash] : before.content) {
      const auto other = after.content.find(name);
      if (other != after.content.end() && other->second == hash) diff.same_content.push_back(name);
    }
  } catch (const SQLite::Exception& error) {
    cluster::throw_environment(path.string() + ": " + error.what());
  }
  diff.numbers = load_differences(path, {pair}).pairs.front();
  return diff;
}

std::string run_diff_text(const RunDiff& diff) {
  std::string text = table_of("configuration", diff.configuration, "the configurations are equal");
  text += table_of("made", diff.made, "both were made alike (program, libraries, device, data)");
  text += table_of("SHA-256", diff.content, "what was made is equal to the last bit");
  if (!diff.content.empty() && !diff.same_content.empty())
    text += "equal to the last bit: " + cluster::join(diff.same_content) + "\n\n";
  return text + pair_text(diff.numbers);
}

json to_json(const RunDiff& diff) {
  const json numbers = to_json(RunDifferences{{diff.numbers}, {}});
  return {{"configuration", to_json(diff.configuration)},
          {"made", to_json(diff.made)},
          {"content", to_json(diff.content)},
          {"same_content", diff.same_content},
          {"before", numbers.at("pairs").at(0).at("before")},
          {"after", numbers.at("pairs").at(0).at("after")},
          {"metrics", numbers.at("pairs").at(0).at("metrics")}};
}

}  // namespace marquee::analysis
