#include "analysis/report/report.h"

#include <set>

#include <kainjow/mustache.hpp>
#include <nlohmann/json.hpp>

#include "analysis/report/ablation_page.h"
#include "analysis/report/cited_tables.h"
#include "analysis/report/comparison.h"
#include "analysis/report/cost_table.h"
#include "analysis/report/database.h"
#include "analysis/report/few_shot_curves.h"
#include "analysis/report/html.h"
#include "analysis/report/main_table.h"
#include "analysis/report/page_files.h"
#include "analysis/report/private_text.h"
#include "analysis/report/run_facts.h"
#include "analysis/report/section_tables.h"
#include "analysis/report/task_sections.h"
#include "cluster/base64.h"
#include "cluster/build_info.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/sha256.h"
#include "cluster/suggest.h"
#include "cluster/text.h"
#include "experiments/results_folder.h"

namespace marquee::analysis {
namespace {

namespace fs = std::filesystem;
namespace ms = kainjow::mustache;

// Of attempts that did not end well, the newest.
constexpr int kMostFailures = 500;

std::set<std::string> hosts_of(SQLite::Database& database) {
  std::set<std::string> hosts;
  for (const char* table : {"attempts", "coordinators", "slots"}) {
    if (!database.tableExists(table)) continue;
    SQLite::Statement rows(database, std::string("SELECT DISTINCT host FROM ") + table);
    while (rows.executeStep()) hosts.insert(rows.getColumn(0).getString());
  }
  return hosts;
}

std::string status_text(SQLite::Database& database, const Comparison& comparison) {
  std::vector<std::string> sweeps;
  SQLite::Statement names(database, "SELECT sweep FROM sweeps ORDER BY registered");
  while (names.executeStep()) sweeps.push_back(names.getColumn(0).getString());
  const std::string what =
      sweeps.empty() ? "Single runs"
                     : (sweeps.size() == 1 ? "Sweep " : "Sweeps ") + cluster::join(sweeps);
  return what + ": " + statuses_text(comparison);
}

// Words of a list, each under `key`.
ms::data list_of(const char* key, const std::vector<std::string>& texts) {
  ms::data list{ms::data::type::list};
  for (const std::string& text : texts) {
    ms::data entry;
    entry.set(key, text);
    list << entry;
  }
  return list;
}

void set_filters(ms::data& page, const Comparison& comparison) {
  std::vector<std::string> tasks, shots, methods;
  std::vector<const ComparisonRow*> order;
  for (const ComparisonRow& row : comparison.rows) order.push_back(&row);
  const auto add = [](std::vector<std::string>& list, const std::string& word) {
    if (std::find(list.begin(), list.end(), word) == list.end()) list.push_back(word);
  };
  for (const ComparisonRow* row : order) add(tasks, row->task);
  for (const ComparisonRow* row : stacked(std::move(order))) {
    if (!row->oracle) add(shots, row->shots);
    add(methods, row->method);
  }
  page.set("tasks", list_of("task", tasks));
  page.set("shots", list_of("shots", shots));
  page.set("methods", list_of("method", methods));
}

void set_main_tables(ms::data& page, const std::vector<MainTable>& tables) {
  ms::data list{ms::data::type::list}, curves{ms::data::type::list};
  std::vector<std::string> metrics;
  const MainTable* before = nullptr;
  for (const MainTable& table : tables) {
    const bool first = before == nullptr || before->title != table.title;
    before = &table;
    if (std::find(metrics.begin(), metrics.end(), table.metric) == metrics.end())
      metrics.push_back(table.metric);
    ms::data entry;
    entry.set("metric", table.metric);
    entry.set("title", table.title);
    entry.set("first", first);
    entry.set("table", main_table_html(table));
    entry.set("about", main_table_about(table));
    ms::data reasons{ms::data::type::list};
    const std::vector<std::string> found = empty_reasons(table);
    for (const std::string& reason : found) {
      ms::data told;
      told.set("mark", reason_mark(found, reason));
      told.set("reason", reason);
      reasons << told;
    }
    entry.set("has_reasons", !reasons.list_value().empty());
    entry.set("reasons", reasons);
    list << entry;
    if (!first) continue;
    for (const std::string& curve : few_shot_curves(table)) {
      ms::data plot;
      plot.set("plot", curve);
      curves << plot;
    }
  }
  page.set("main_tables", list);
  page.set("has_several_metrics", metrics.size() > 1);
  page.set("metrics", list_of("metric", metrics));
  page.set("has_curves", !curves.list_value().empty());
  page.set("curves", curves);
}

void set_ablations(ms::data& page, const Comparison& comparison) {
  const Ablations ablations = find_ablations(comparison);
  ms::data list{ms::data::type::list};
  for (const AblationFactor& factor : ablations.factors) {
    if (factor.name == "method") continue;  // the main table
    ms::data entry;
    entry.set("factor", factor.name);
    entry.set("anchor", anchor_of("ablation-" + factor.name));
    entry.set("plot", ablation_chart(factor, /*in_page=*/true));
    ms::data places{ms::data::type::list};
    for (const AblationPlace& place : places_of(factor)) {
      ms::data told;
      told.set("place", place_text(place));
      told.set("table",
               html_table(factor_table(factor, place), {factor.name + ", " + place_text(place)}));
      places << told;
    }
    entry.set("places", places);
    const bool has_header = factor.name == "marquee";
    entry.set("has_header", has_header);
    if (has_header)
      entry.set("header_table", html_table(header_table(factor), {"the marquee header"}));
    list << entry;
  }
  page.set("has_ablations", !list.list_value().empty());
  page.set("ablations", list);
  if (!ablations.left_out.empty())
    page.set("left_out",
             std::to_string(ablations.left_out.size()) +
                 (ablations.left_out.size() == 1 ? " variant differs" : " variants differ") +
                 " in several factors and stand in the tables of the tasks alone.");
}

void set_failures(ms::data& page, SQLite::Database& database, const PrivateText& text) {
  Table table{{"task", "shots", "method", "seed", "attempt", "status", "cause", "message"},
              {},
              {false, false, false, true, true, false, false, false}};
  SQLite::Statement rows(database,
                         "SELECT task, shots, method, seed, attempt, status, cause, message "
                         "FROM failures ORDER BY ended DESC LIMIT " +
                             std::to_string(kMostFailures));
  HtmlTable options{"attempts that did not end well"};
  options.column_classes = {"", "", "", "", "", "", "", "message"};
  while (rows.executeStep()) {
    std::vector<std::string> cells;
    for (int i = 0; i < rows.getColumnCount(); ++i)
      cells.push_back(text(rows.getColumn(i).getString()));
    options.row_attributes.push_back(" data-row" + html_attribute("data-shots", cells[1]) +
                                     html_attribute("data-method", cells[2]));
    table.rows.push_back(std::move(cells));
  }
  const auto all = database.execAndGet("SELECT count(*) FROM failures").getInt64();
  const bool cut = all > kMostFailures;
  page.set("has_failures", !table.rows.empty());
  page.set("failures_about",
           cut ? "The newest " + std::to_string(kMostFailures) + " of " + std::to_string(all) +
                     "; marquee query failures has all of them."
               : "All of them, the newest first; a run whose later attempt succeeded is none the "
                 "worse.");
  page.set("failures_table", html_table(table, options));
}

void set_cited(ms::data& page, const std::vector<experiments::CitedNumber>& cited) {
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
  page.set("has_cited", !cited.empty());
  page.set("cited_title", kCitedTitle);
  page.set("cited_about", kCitedAbout);
  page.set("cited", groups);
}

// JSON within a script element: no character that could end it.
std::string script_json(const nlohmann::json& content) {
  std::string out;
  for (const char c : content.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
    c == '<' ? out += "\\u003c" : out += c;
  return out;
}

void set_made(ms::data& page, SQLite::Database& database, const Comparison& comparison,
              const PrivateText& text) {
  const RunFacts facts = run_facts(database, comparison, text);
  std::string about;
  if (facts.on_gpu > 0)
    about = std::to_string(facts.on_gpu) + " of " + std::to_string(facts.runs.at("runs").size()) +
            " runs were computed on GPUs: tuning has the same bits each time, sampling need not "
            "have them on another kind of GPU.";
  if (!text.shown()) about += " Hosts, users and folders are left out.";
  page.set("made_about", about);
  page.set("common_table",
           html_table(facts.common, {"the same for all runs", {}, {}, {"", "said"}}));
  page.set("facts", script_json(facts.runs));
}

void set_contents(ms::data& page, const ms::data& tasks) {
  ms::data sections{ms::data::type::list};
  const auto add = [&](const std::string& anchor, const std::string& name) {
    ms::data entry;
    entry.set("anchor", anchor);
    entry.set("name", name);
    sections << entry;
  };
  const auto has = [&](const char* key) { return page.get(key)->is_true(); };
  add("main", "Methods by tasks");
  if (has("has_curves")) add("few-shot", "Few-shot curves");
  if (has("has_ablations")) add("ablations", "Ablations");
  for (const ms::data& task : tasks.list_value())
    add(task.get("anchor")->string_value(), task.get("title")->string_value());
  add("cost", "Cost");
  if (has("has_cited")) add("cited", kCitedTitle);
  if (has("has_failures")) add("failures", "Failures");
  add("made", "How it was made");
  page.set("sections", sections);
}

std::string markdown_page(const Comparison& comparison, const std::vector<MainTable>& tables,
                          const std::string& status,
                          const std::vector<experiments::CitedNumber>& cited) {
  std::string text = "# marquee: methods by task and shots\n\n" + markdown_escaped(status) +
                     ".\n\n" + markdown_escaped(counting_text(comparison)) + ".\n";
  for (const MainTable& table : tables)
    text += "\n## " + markdown_escaped(table.metric + ", " + table.title) + "\n\n" +
            main_table_markdown(table);
  for (const Section& section : sections_of(comparison)) {
    text += "\n## " + markdown_escaped(section.title) + "\n\n" +
            markdown_text(section_table(comparison, section));
    if (const std::string empty = empty_cells_text(comparison, section); !empty.empty())
      text += "\n" + markdown_escaped(empty) + "\n";
  }
  if (!cited.empty()) text += "\n" + cited_text(cited, "markdown");
  return text;
}

std::string latex_page(const std::vector<MainTable>& tables) {
  std::string text = "% Written by marquee report. \\usepackage{booktabs,graphicx}\n";
  for (const MainTable& table : tables) text += "\n" + main_table_latex(table);
  return text;
}

}  // namespace

std::vector<fs::path> write_report(const fs::path& results, const ReportOptions& options) {
  const fs::path published = results / experiments::kPublishedFile, folder = results / "report";
  const Comparison comparison = load_comparison(published);
  SQLite::Database database = open_published(published);
  cluster::create_directories_durably(folder / "images");
  const std::vector<MainTable> tables = main_tables(comparison);
  std::string status;
  try {
    const PrivateText text(hosts_of(database), options.hosts);
    status = status_text(database, comparison);
    ms::data page;
    page.set("title", "marquee: " + fs::weakly_canonical(results).filename().string());
    page.set("version", std::string(cluster::build_version()));
    page.set("written", cluster::utc_now().substr(0, std::string("2026-01-01T00:00:00").size()));
    page.set("status", status);
    page.set("live", options.refresh_seconds > 0);
    page.set("refresh", std::to_string(options.refresh_seconds));
    page.set("style", kPageStyle);
    page.set("script", kPageScript);
    page.set("script_hash", cluster::base64(cluster::sha256_bytes(kPageScript)));
    page.set("counting", counting_text(comparison));
    set_filters(page, comparison);
    set_main_tables(page, tables);
    set_ablations(page, comparison);
    const ms::data tasks = task_sections(results, comparison);
    page.set("task_sections", tasks);
    Table cost = cost_table(database, comparison);
    page.set("cost_table", html_table(cost, {"what each method took"}));
    set_cited(page, options.cited);
    set_failures(page, database, text);
    set_made(page, database, comparison, text);
    set_contents(page, tasks);
    ms::mustache form(kPageTemplate);
    MARQUEE_CHECK(form.is_valid(), "the report's template: " + form.error_message());
    cluster::write_file_durably(folder / "index.html", form.render(page));
  } catch (const SQLite::Exception& error) {
    cluster::throw_environment(published.string() + ": " + error.what());
  }
  cluster::write_file_durably(folder / "table.md",
                              markdown_page(comparison, tables, status, options.cited));
  cluster::write_file_durably(folder / "table.tex", latex_page(tables));
  return {folder / "index.html", folder / "table.md", folder / "table.tex"};
}

}  // namespace marquee::analysis
