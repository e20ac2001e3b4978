#include "analysis/report/report.h"

#include <cmath>
#include <numeric>
#include <optional>
#include <set>

#include <kainjow/mustache.hpp>
#include <nlohmann/json.hpp>

#include "analysis/report/cited_tables.h"
#include "analysis/report/comparison.h"
#include "analysis/report/database.h"
#include "analysis/report/loss_curve.h"
#include "analysis/report/page.h"
#include "analysis/report/plot.h"
#include "analysis/report/samples.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/log.h"
#include "cluster/text.h"

namespace marquee::analysis {
namespace {

namespace fs = std::filesystem;
namespace ms = kainjow::mustache;
using nlohmann::json;

std::string described(const ComparisonRow& row, const RunEntry& run) {
  return row.name() + (row.oracle ? "" : ", " + row.shots + " shots") + ", seed " +
         std::to_string(run.seed);
}

// The loss curve of an attempt; no points where nothing was trained or the file is damaged.
PlotLine loss_curve(const fs::path& results, const RunEntry& run, const std::string& name) {
  PlotLine line{name, {}};
  LossCurve curve;
  try {
    curve = read_loss_curve(attempt_folder(results, run));
  } catch (const cluster::Error& error) {
    cluster::log_warning("report", error.what());
    return line;
  }
  // Means over up to 100 windows: single steps are noise.
  const std::size_t window = std::max<std::size_t>(1, curve.losses.size() / 100);
  for (std::size_t first = 0; first + window <= curve.losses.size(); first += window) {
    const auto from = curve.losses.begin() + static_cast<std::ptrdiff_t>(first);
    const double sum = std::accumulate(from, from + static_cast<std::ptrdiff_t>(window), 0.0);
    line.points.emplace_back(static_cast<double>(curve.steps[first + window - 1]),
                             sum / static_cast<double>(window));
  }
  return line;
}

// fid_mini, or fid where that was measured; nullptr where neither was.
const char* distance_name(const ComparisonRow& row) {
  for (const char* name : {"fid_mini", "fid"})
    if (row.metrics.contains(name)) return name;
  return nullptr;
}

std::optional<double> distance_of(const ComparisonRow& row) {
  const char* name = distance_name(row);
  return name == nullptr ? std::nullopt : std::optional(row.metrics.at(name).mean);
}

std::string few_shot_plot(const std::vector<const ComparisonRow*>& rows) {
  std::map<std::string, PlotLine> lines;
  std::set<double> shots;
  std::string metric;  // rows of a section are measured by one protocol
  for (const ComparisonRow* row : rows) {
    const std::optional<double> distance = distance_of(*row);
    if (row->oracle || !distance || !row->variant.empty() || !counts_images(row->shots)) continue;
    metric = distance_name(*row);
    const double x = std::stod(row->shots);
    shots.insert(x);
    lines[row->method].name = row->method;
    lines[row->method].points.emplace_back(x, *distance);
  }
  if (shots.size() < 2) return "";
  // In the order of the table, so that a method has one colour in all plots.
  std::vector<PlotLine> list;
  for (const std::string& method : experiments::method_names())
    if (const auto line = lines.find(method); line != lines.end()) list.push_back(line->second);
  return line_plot(list, {metric + " by shots", "images per class", metric, true, true});
}

ms::data cells_of(const std::vector<std::string>& texts, const std::vector<bool>& numeric) {
  ms::data cells{ms::data::type::list};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ms::data cell;
    cell.set("text", texts[i]);
    cell.set("number", bool{numeric[i]});
    cells << cell;
  }
  return cells;
}

// The row with the lowest distance among those with the same shots.
bool is_best(const ComparisonRow& row, const std::vector<const ComparisonRow*>& rows) {
  const std::optional<double> own = distance_of(row);
  if (row.oracle || !own) return false;
  return std::none_of(rows.begin(), rows.end(), [&](const ComparisonRow* other) {
    const std::optional<double> distance = distance_of(*other);
    return !other->oracle && other->shots == row.shots && distance && *distance < *own;
  });
}

ms::data section_data(const fs::path& results, const Comparison& comparison, const Section& shown) {
  const std::vector<const ComparisonRow*> rows = rows_of(comparison, shown);
  const Table table = section_table(comparison, shown);
  const std::string& task = shown.title;
  ms::data section;
  const std::string empty = empty_cells_text(comparison, shown);
  section.set("has_empty", !empty.empty());
  section.set("empty", empty);
  section.set("task", task);
  std::string anchor = task;
  for (const char unwanted : {'/', ' ', ',', '(', ')'})
    std::replace(anchor.begin(), anchor.end(), unwanted, '-');
  section.set("anchor", anchor);
  section.set("header", cells_of(table.header, table.numeric));

  ms::data lines{ms::data::type::list}, samples{ms::data::type::list}, plots{ms::data::type::list};
  std::vector<std::pair<std::string, std::vector<PlotLine>>> losses;  // by shots, in their order
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const ComparisonRow& row = *rows[i];
    ms::data line;
    line.set("kind", row.oracle ? "oracle" : is_best(row, rows) ? "best" : "plain");
    line.set("cells", cells_of(table.rows[i], table.numeric));
    lines << line;
    if (row.finished.empty()) continue;
    const RunEntry& first = row.finished.front();
    if (const std::string name = copy_samples(results, first, results / "report" / "images");
        !name.empty()) {
      ms::data picture;
      picture.set("caption", described(row, first));
      picture.set("image", "images/" + name);
      samples << picture;
    }
    PlotLine curve = loss_curve(results, first, row.name());
    if (curve.points.empty()) continue;
    if (losses.empty() || losses.back().first != row.shots) losses.push_back({row.shots, {}});
    losses.back().second.push_back(std::move(curve));
  }
  const auto add_plot = [&](const std::string& svg) {
    if (svg.empty()) return;
    ms::data plot;
    plot.set("plot", svg);
    plots << plot;
  };
  add_plot(few_shot_plot(rows));
  const std::size_t most = distinct_colours();
  for (const auto& [shots, curves] : losses) {
    for (std::size_t first = 0; first < curves.size(); first += most) {
      const auto begin = curves.begin() + static_cast<std::ptrdiff_t>(first);
      const std::size_t count = std::min(most, curves.size() - first);
      add_plot(line_plot({begin, begin + static_cast<std::ptrdiff_t>(count)},
                         {"tuning loss, " + shots + " shots", "step", "loss", false, false}));
    }
  }
  section.set("rows", lines);
  section.set("samples", samples);
  section.set("plots", plots);
  return section;
}

ms::data failures_of(SQLite::Database& database) {
  ms::data list{ms::data::type::list};
  SQLite::Statement rows(
      database, "SELECT task, shots, method, seed, attempt, status, cause, message FROM failures");
  constexpr const char* kNames[] = {"task",    "shots",  "method", "seed",
                                    "attempt", "status", "cause",  "message"};
  while (rows.executeStep()) {
    ms::data entry;
    for (int i = 0; i < rows.getColumnCount(); ++i)
      entry.set(kNames[i], rows.getColumn(i).getString());
    list << entry;
  }
  return list;
}

ms::data how_it_was_made(SQLite::Database& database, const Comparison& comparison) {
  ms::data list{ms::data::type::list};
  SQLite::Statement query(database,
                          "SELECT a.host, a.started, a.ended, a.result_sha256, a.prompt_sha256, "
                          "a.tokens_sha256, a.class_prior, a.fingerprint, a.provenance, r.config "
                          "FROM attempts a JOIN runs r ON r.run_id = a.run_id "
                          "WHERE a.run_id = ?1 AND a.attempt = ?2");
  constexpr const char* kNames[] = {
      "host",          "started",     "ended",       "result_sha256", "prompt_sha256",
      "tokens_sha256", "class_prior", "fingerprint", "provenance",    "configuration"};
  for (const ComparisonRow& row : comparison.rows) {
    for (const RunEntry& run : row.finished) {
      query.reset();
      query.bind(1, run.run_id);
      query.bind(2, run.attempt);
      if (!query.executeStep()) continue;
      ms::data facts{ms::data::type::list};
      for (int i = 0; i < query.getColumnCount(); ++i) {
        const std::string value = query.getColumn(i).getString();
        if (value.empty()) continue;
        ms::data fact;
        fact.set("key", kNames[i]);
        fact.set("value", value);
        facts << fact;
      }
      ms::data entry;
      entry.set("name", row.task + ", " + described(row, run));
      entry.set("run", run.run_id.substr(0, 12) + ", attempt " + std::to_string(run.attempt));
      entry.set("facts", facts);
      list << entry;
    }
  }
  return list;
}

std::string status_text(SQLite::Database& database, const Comparison& comparison) {
  std::string text;
  SQLite::Statement names(database, "SELECT sweep FROM sweeps ORDER BY registered");
  while (names.executeStep())
    text += (text.empty() ? "Sweep " : ", ") + names.getColumn(0).getString();
  if (text.empty()) text = "Single runs";
  text += ":";
  for (const auto& [status, count] : comparison.statuses)
    text += " " + std::to_string(count) + " " + status;
  return text;
}

ms::data cited_data(const std::vector<experiments::CitedNumber>& cited) {
  ms::data groups{ms::data::type::list};
  for (const CitedGroup& group : cited_groups(cited)) {
    ms::data numbers{ms::data::type::list};
    for (const experiments::CitedNumber& number : group.numbers) {
      ms::data entry;
      entry.set("has_url", !number.url.empty());
      const std::pair<const char*, const std::string&> texts[] = {
          {"generator", number.generator}, {"metric", number.metric},
          {"value", number.value_text},    {"protocol", number.protocol},
          {"citation", number.citation},   {"url", number.url},
          {"page", number.page},           {"note", number.note}};
      for (const auto& [key, text] : texts) entry.set(key, cluster::printable(text));
      numbers << entry;
    }
    ms::data shown;
    shown.set("title", group.title);
    shown.set("numbers", numbers);
    groups << shown;
  }
  return groups;
}

std::string markdown_page(const Comparison& comparison, const std::string& status,
                          const std::vector<experiments::CitedNumber>& cited) {
  std::string text = "# marquee: methods by task and shots\n\n" + markdown_escaped(status) +
                     ".\n\n" + markdown_escaped(counting_text(comparison)) + ".\n";
  for (const Section& section : sections_of(comparison)) {
    text += "\n## " + markdown_escaped(section.title) + "\n\n" +
            markdown_text(section_table(comparison, section));
    if (const std::string empty = empty_cells_text(comparison, section); !empty.empty())
      text += "\n" + markdown_escaped(empty) + "\n";
  }
  if (!cited.empty()) text += "\n" + cited_text(cited, "markdown");
  return text;
}

}  // namespace

std::vector<fs::path> write_report(const fs::path& results,
                                   const std::vector<experiments::CitedNumber>& cited) {
  const fs::path published = results / "results.sqlite", folder = results / "report";
  const Comparison comparison = load_comparison(published);
  SQLite::Database database = open_published(published);
  cluster::create_directories_durably(folder / "images");
  const std::string status = status_text(database, comparison);
  try {
    ms::data page;
    page.set("title", "marquee: " + fs::weakly_canonical(results).filename().string());
    page.set("status", status);
    page.set("counting", counting_text(comparison));
    ms::data tasks{ms::data::type::list};
    for (const Section& section : sections_of(comparison))
      tasks << section_data(results, comparison, section);
    page.set("tasks", tasks);
    const ms::data failures = failures_of(database);
    page.set("has_failures", !failures.list_value().empty());
    page.set("failures", failures);
    page.set("made", how_it_was_made(database, comparison));
    page.set("has_cited", !cited.empty());
    page.set("cited_title", kCitedTitle);
    page.set("cited_about", kCitedAbout);
    page.set("cited", cited_data(cited));
    ms::mustache form(kPage);
    MARQUEE_CHECK(form.is_valid(), "the report's template: " + form.error_message());
    cluster::write_file_durably(folder / "index.html", form.render(page));
  } catch (const SQLite::Exception& error) {
    cluster::throw_environment(published.string() + ": " + error.what());
  }
  cluster::write_file_durably(folder / "table.md", markdown_page(comparison, status, cited));
  return {folder / "index.html", folder / "table.md"};
}

}  // namespace marquee::analysis
