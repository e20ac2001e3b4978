#include "analysis/report/run_differences.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "analysis/report/comparison.h"
#include "analysis/report/database.h"
#include "analysis/report/table.h"
#include "cluster/error.h"
#include "cluster/text.h"
#include "experiments/run_config.h"

namespace marquee::analysis {
namespace {

using nlohmann::json;

constexpr std::size_t kShortId = 12;

using Metrics = std::map<std::string, Measured>;

// What the database says about runs, each asked for once.
class RunReader {
 public:
  explicit RunReader(SQLite::Database& database)
      : run_(database,
             "SELECT r.task, r.shots, r.method, r.seed, CASE WHEN ?2 = 0 THEN r.status ELSE "
             "a.status END, r.protocol, coalesce(a.attempt, 0), coalesce(a.status = 'done', 0), "
             "r.config FROM runs r LEFT JOIN attempts a ON a.run_id = r.run_id AND a.attempt = "
             "CASE WHEN ?2 = 0 THEN r.counting_attempt ELSE ?2 END WHERE r.run_id = ?1"),
        metrics_(database,
                 "SELECT metric, value, standard_error, n_generated, n_reference, network_hash "
                 "FROM attempt_metrics WHERE run_id = ?1 AND protocol = ?2 AND attempt = ?3") {}

  // `attempt` 0: the one that counts.
  const std::pair<RunSide, Metrics>& run(const std::string& id, int attempt) {
    const auto [known, fresh] = runs_.try_emplace({id, attempt});
    if (fresh) known->second = read(id, attempt);
    return known->second;
  }

 private:
  std::pair<RunSide, Metrics> read(const std::string& id, int attempt) {
    RunSide side{id, 0, ""};
    run_.reset();
    run_.bind(1, id);
    run_.bind(2, attempt);
    if (!run_.executeStep()) return {side, {}};
    side.task = run_.getColumn(0).getString();
    side.shots = run_.getColumn(1).getString();
    side.method = run_.getColumn(2).getString();
    side.seed = static_cast<std::uint64_t>(run_.getColumn(3).getInt64());
    side.status = run_.getColumn(4).getString();
    side.protocol = run_.getColumn(5).getString();
    side.attempt = run_.getColumn(6).getInt();
    side.finished = run_.getColumn(7).getInt() != 0;
    side.reference =
        experiments::run_config_from_json(json::parse(run_.getColumn(8).getString())).reference;
    return {side, read_metrics(side)};
  }

  Metrics read_metrics(const RunSide& side) {
    Metrics metrics;
    metrics_.reset();
    metrics_.bind(1, side.run_id);
    metrics_.bind(2, side.protocol);
    metrics_.bind(3, side.attempt);
    while (metrics_.executeStep()) {
      Measured measured;
      measured.value = metrics_.getColumn(1).getDouble();
      if (!metrics_.getColumn(2).isNull())
        measured.standard_error = metrics_.getColumn(2).getDouble();
      measured.n_generated = metrics_.getColumn(3).getInt64();
      measured.n_reference = metrics_.getColumn(4).getInt64();
      measured.network_hash = metrics_.getColumn(5).getString();
      metrics[metrics_.getColumn(0).getString()] = std::move(measured);
    }
    return metrics;
  }

  SQLite::Statement run_, metrics_;
  std::map<std::pair<std::string, int>, std::pair<RunSide, Metrics>> runs_;
};

// Why two numbers of one metric cannot be subtracted; "" where they can.
std::string made_differently(const RunSide& before, const Measured& a, const RunSide& after,
                             const Measured& b) {
  const auto between = [](const char* what, const std::string& x, const std::string& y) {
    return x == y ? "" : std::string(what) + " " + x + " and " + y;
  };
  const auto counts = [](const char* what, std::int64_t x, std::int64_t y) {
    return x == y ? "" : std::to_string(x) + " and " + std::to_string(y) + " " + what;
  };
  for (const std::string& reason :
       {between("protocol", before.protocol, after.protocol),
        between("network", short_hash(a.network_hash), short_hash(b.network_hash)),
        std::string(a.network_hash == b.network_hash ? "" : "other network"),
        between("reference split", before.reference, after.reference),
        counts("generated images", a.n_generated, b.n_generated),
        counts("reference images", a.n_reference, b.n_reference)}) {
    if (!reason.empty()) return reason;
  }
  return "";
}

MetricDifference difference_of(const std::string& metric, const RunSide& before,
                               const Metrics& first, const RunSide& after, const Metrics& second) {
  MetricDifference row{metric};
  if (const auto found = first.find(metric); found != first.end()) row.before = found->second;
  if (const auto found = second.find(metric); found != second.end()) row.after = found->second;
  if (!row.before || !row.after) {
    row.not_subtracted = "measured by one of them alone";
    return row;
  }
  row.not_subtracted = made_differently(before, *row.before, after, *row.after);
  if (!row.not_subtracted.empty()) return row;
  row.difference = row.after->value - row.before->value;
  if (row.before->standard_error && row.after->standard_error)
    row.standard_error = std::hypot(*row.before->standard_error, *row.after->standard_error);
  return row;
}

// As in a report; what no report knows behind it, by name.
std::vector<std::string> ordered(const Metrics& first, const Metrics& second) {
  std::set<std::string> names;
  for (const Metrics* metrics : {&first, &second})
    for (const auto& [name, value] : *metrics) names.insert(name);
  std::vector<std::string> order;
  for (const std::string& name : metric_names())
    if (names.erase(name) > 0) order.push_back(name);
  order.insert(order.end(), names.begin(), names.end());
  return order;
}

std::vector<MeanDifference> means_of(const std::vector<RunDifference>& pairs) {
  struct Group {
    std::vector<const MetricDifference*> rows;
    std::set<std::string> runs;
  };
  std::vector<std::tuple<std::string, std::string, std::string>> order;
  std::map<std::tuple<std::string, std::string, std::string>, Group> groups;
  for (const RunDifference& pair : pairs) {
    for (const MetricDifference& row : pair.metrics) {
      if (!row.difference) continue;
      const std::tuple key{row.metric, pair.after.protocol, row.after->network_hash};
      const auto [group, fresh] = groups.try_emplace(key);
      if (fresh) order.push_back(key);
      group->second.rows.push_back(&row);
      group->second.runs.insert({pair.before.run_id, pair.after.run_id});
    }
  }
  std::vector<MeanDifference> means;
  for (const auto& key : order) {
    const Group& group = groups.at(key);
    const auto count = static_cast<double>(group.rows.size());
    MeanDifference mean{std::get<0>(key), std::get<1>(key), std::get<2>(key)};
    mean.pairs = static_cast<int>(group.rows.size());
    for (const MetricDifference* row : group.rows) mean.mean += *row->difference / count;
    double squares = 0;
    for (const MetricDifference* row : group.rows)
      squares += (*row->difference - mean.mean) * (*row->difference - mean.mean);
    if (mean.pairs == 1) {
      mean.standard_error = group.rows.front()->standard_error;
    } else if (group.runs.size() == 2 * group.rows.size()) {
      mean.standard_error = std::sqrt(squares / (count - 1) / count);
    }
    means.push_back(std::move(mean));
  }
  return means;
}

// Two digits of the error, as far as a table has room for them; queries give every digit.
std::string number(double value, const std::optional<double>& error, bool sign) {
  constexpr int kMostDigits = 6;
  const double scale = error.value_or(0) > 0 ? *error : std::abs(value) * 1e-3;
  int digits = 3;
  if (scale > 0 && std::isfinite(scale))
    digits = std::clamp(1 - static_cast<int>(std::floor(std::log10(scale))), 0, kMostDigits);
  const std::string format = "%." + std::to_string(digits) + "f";
  std::string text =
      number_text(((sign ? "%+." : "%.") + std::to_string(digits) + "f").c_str(), value);
  if (error) text += " ± " + number_text(format.c_str(), *error);
  return text;
}

std::string cell(const std::optional<Measured>& measured) {
  return measured ? number(measured->value, measured->standard_error, false) : "-";
}

std::string heading(const RunDifference& pair) {
  const RunSide& side = pair.after.status.empty() ? pair.before : pair.after;
  return cluster::printable(pair.before.run_id.substr(0, kShortId) + " -> " +
                            pair.after.run_id.substr(0, kShortId) + "  " + side.task + ", " +
                            shots_text(side.shots) + ", " + side.method + ", seed " +
                            std::to_string(side.seed));
}

// Why a pair has no numbers; "" where both runs have theirs.
std::string missing_text(const RunDifference& pair) {
  std::string text;
  for (const auto& [name, side] : {std::pair{"before", &pair.before}, {"after", &pair.after}}) {
    if (side->finished) continue;
    text += "  " + std::string(name) + ": run " + side->run_id.substr(0, kShortId) +
            (side->status.empty() ? " is not in this database"
                                  : " is not done yet (" + cluster::printable(side->status) + ")") +
            "\n";
  }
  return text;
}

json json_of(const std::optional<double>& value) {
  return value ? json(*value) : json();
}

json json_of(const RunSide& side) {
  return {{"run_id", side.run_id},      {"attempt", side.attempt}, {"status", side.status},
          {"finished", side.finished},  {"task", side.task},       {"shots", side.shots},
          {"method", side.method},      {"seed", side.seed},       {"protocol", side.protocol},
          {"reference", side.reference}};
}

json json_of(const std::optional<Measured>& measured) {
  if (!measured) return {};
  return {{"value", measured->value},
          {"standard_error", json_of(measured->standard_error)},
          {"n_generated", measured->n_generated},
          {"n_reference", measured->n_reference},
          {"network_hash", measured->network_hash}};
}

}  // namespace

RunDifferences load_differences(const std::filesystem::path& path,
                                const std::vector<RunPair>& pairs) {
  try {
    SQLite::Database database = open_published(path);
    RunReader reader(database);
    RunDifferences differences;
    for (const RunPair& pair : pairs) {
      const auto& [before, first] = reader.run(pair.before, pair.before_attempt);
      const auto& [after, second] = reader.run(pair.after, pair.after_attempt);
      RunDifference difference{before, after, {}};
      if (before.finished && after.finished) {
        for (const std::string& metric : ordered(first, second))
          difference.metrics.push_back(difference_of(metric, before, first, after, second));
      }
      differences.pairs.push_back(std::move(difference));
    }
    differences.means = means_of(differences.pairs);
    return differences;
  } catch (const SQLite::Exception& error) {
    cluster::throw_environment(path.string() + ": " + error.what());
  } catch (const json::exception& error) {
    cluster::throw_environment(path.string() +
                               ": configuration of a run is damaged: " + error.what());
  }
}

std::string pair_text(const RunDifference& pair) {
  Table table{{"metric", "before", "after", "difference"}, {}, {false, true, true, true}};
  for (const MetricDifference& row : pair.metrics) {
    table.rows.push_back({cluster::printable(row.metric), cell(row.before), cell(row.after),
                          row.difference
                              ? number(*row.difference, row.standard_error, true)
                              : "not subtracted: " + cluster::printable(row.not_subtracted)});
  }
  return heading(pair) + "\n" + missing_text(pair) +
         (table.rows.empty() ? "" : aligned_text(table));
}

std::string differences_text(const RunDifferences& differences) {
  std::string text;
  for (const RunDifference& pair : differences.pairs) text += pair_text(pair) + "\n";
  Table table{{"metric", "pairs", "mean difference"}, {}, {false, true, true}};
  std::map<std::string, int> kinds;
  for (const MeanDifference& mean : differences.means) ++kinds[mean.metric];
  for (const MeanDifference& mean : differences.means) {
    std::string name = mean.metric;
    if (kinds[mean.metric] > 1)
      name += " (" + mean.protocol + ", network " + short_hash(mean.network_hash) + ")";
    table.rows.push_back({cluster::printable(name), std::to_string(mean.pairs),
                          number(mean.mean, mean.standard_error, true)});
  }
  return text + (table.rows.empty() ? "no pair has numbers that can be subtracted\n"
                                    : aligned_text(table));
}

json to_json(const RunDifferences& differences) {
  json pairs = json::array(), means = json::array();
  for (const RunDifference& pair : differences.pairs) {
    json metrics = json::array();
    for (const MetricDifference& row : pair.metrics) {
      metrics.push_back(
          {{"metric", row.metric},
           {"before", json_of(row.before)},
           {"after", json_of(row.after)},
           {"difference", json_of(row.difference)},
           {"standard_error", json_of(row.standard_error)},
           {"not_subtracted", row.not_subtracted.empty() ? json() : json(row.not_subtracted)}});
    }
    pairs.push_back({{"before", json_of(pair.before)},
                     {"after", json_of(pair.after)},
                     {"metrics", std::move(metrics)}});
  }
  for (const MeanDifference& mean : differences.means) {
    means.push_back({{"metric", mean.metric},
                     {"protocol", mean.protocol},
                     {"network_hash", mean.network_hash},
                     {"pairs", mean.pairs},
                     {"mean", mean.mean},
                     {"standard_error", json_of(mean.standard_error)}});
  }
  return {{"pairs", std::move(pairs)}, {"means", std::move(means)}};
}

}  // namespace marquee::analysis
