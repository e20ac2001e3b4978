// marquee report: tables and pages of a results folder.
#include "analysis/report/report.h"

#include <chrono>
#include <iostream>
#include <thread>

#include "analysis/report/comparison.h"
#include "cluster/error.h"
#include "cluster/stop_signal.h"
#include "experiments/cited_numbers.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/results_status.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr int kShortestWatch = 1, kLongestWatch = 3600;

void print(const std::vector<fs::path>& written) {
  for (const fs::path& file : written) std::cout << file.string() << "\n";
}

// Writes the page anew whenever something was published, until nobody works on the folder, or a
// signal says to stop; then once more, as a page that stands still.
void watch(const fs::path& out, const fs::path& database, analysis::ReportOptions options) {
  cluster::install_stop_signals();
  const int seconds = options.refresh_seconds;
  fs::file_time_type written_for{};
  bool told = false;
  while (cluster::stop_signal() == 0 && is_worked_on(status_of(database))) {
    const fs::file_time_type published = fs::last_write_time(database);
    if (published != written_for) {
      const std::vector<fs::path> written = analysis::write_report(out, options);
      written_for = published;
      if (!told) {
        print(written);
        std::cout << "written anew every " << seconds
                  << " s while the sweep runs; Ctrl-C ends that\n"
                  << std::flush;
      }
      told = true;
    }
    const auto due = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (cluster::stop_signal() == 0 && std::chrono::steady_clock::now() < due)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  options.refresh_seconds = 0;
  const std::vector<fs::path> written = analysis::write_report(out, options);
  if (!told) print(written);
}

}  // namespace

int report_command(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee report --out DIR [--watch] [--hosts] [--references FILE]";
  line.text =
      "Writes DIR/report/index.html, a page that stands alone (no network, opens from disk):\n"
      "methods by tasks with intervals, few-shot curves, ablations, samples beside real images and "
      "the\n"
      "nearest training images, training curves, cost, failures, and how each number was made; "
      "and\n"
      "its tables as table.md and table.tex. Reads DIR/results.sqlite; a sweep may run. Numbers "
      "cited\n"
      "from papers (DIR/references.yaml, docs/results.md) stand in a section of their own. Hosts,\n"
      "users and folders are left out unless --hosts asks for them.";
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("watch", po::value<int>()->value_name("SECONDS")->implicit_value(10),
       "write it anew at most every SECONDS (10) while a sweep runs; the page loads itself "
       "again")                                   //
      ("hosts", "name hosts, users and folders")  //
      ("references", po::value<std::string>()->value_name("FILE")->default_value(""),
       "numbers cited from papers (default: DIR/references.yaml, where it is there)");
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const fs::path out = values["out"].as<std::string>();
  const fs::path database = published_results(out);
  analysis::ReportOptions options;
  options.cited = experiments::find_cited_numbers(values["references"].as<std::string>(), out,
                                                  analysis::metric_names());
  options.hosts = values.count("hosts") > 0;
  if (values.count("watch") == 0) {
    print(analysis::write_report(out, options));
    return 0;
  }
  options.refresh_seconds = values["watch"].as<int>();
  if (options.refresh_seconds < kShortestWatch || options.refresh_seconds > kLongestWatch) {
    cluster::throw_usage("--watch is '" + std::to_string(options.refresh_seconds) +
                         "'; expected seconds from " + std::to_string(kShortestWatch) + " to " +
                         std::to_string(kLongestWatch));
  }
  watch(out, database, options);
  return 0;
}

}  // namespace marquee::orchestrator
