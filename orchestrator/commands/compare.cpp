// marquee compare: methods, configurations, runs, sweeps or databases against each other.
#include <iostream>

#include "analysis/report/cited_tables.h"
#include "analysis/report/comparison.h"
#include "analysis/report/paired_comparison.h"
#include "cluster/error.h"
#include "cluster/log.h"
#include "cluster/split.h"
#include "cluster/suggest.h"
#include "cluster/text.h"
#include "experiments/cited_numbers.h"
#include "orchestrator/commands/commands.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;

CommandLine compare_line() {
  CommandLine line;
  line.usage = "marquee compare [--out DIR] FIRST OTHER... [options]";
  line.text =
      "Compares each OTHER with FIRST, pair by pair over the same task, shots and seed: mean\n"
      "difference with its 95 % interval, wins, ties and losses, Wilcoxon's test with Holm's\n"
      "correction, and the effect in each group of VTAB. A side is a method, a run id, filters in\n"
      "quotes, or another results folder (alone, or in front of one of these):\n\n"
      "  marquee compare --out results none prompt finetune\n"
      "  marquee compare --out results \"prompt_length=16 method=prompt\" \"prompt_length=128 "
      "method=prompt\"\n"
      "  marquee compare --out results sweep=before sweep=after\n"
      "  marquee compare old/results new/results\n\n"
      "Refused, with the reason, where sides were made differently (" +
      cluster::join(analysis::compare_conditions()) + ");\n--across NAME compares all the same.";
  line.options.add_options()                                                    //
      ("out,o", po::value<std::string>()->default_value(""), "results folder")  //
      ("metric", po::value<std::string>()->default_value(""),
       "only these, with commas between them (default: all that every pair has)")  //
      ("across", po::value<std::string>()->default_value(""),
       "what may differ between the sides, with commas between")  //
      ("format", cluster::one_of({"table", "markdown", "latex", "json"})->default_value("table"),
       "table, markdown, latex or json")     //
      ("json", "the same as --format json")  //
      ("references", po::value<std::string>()->value_name("FILE")->default_value(""),
       "numbers cited from papers, shown beneath (default: DIR/references.yaml of --out, where it "
       "is there)")                                                               //
      ("seed", po::value<std::uint64_t>()->default_value(0), "of the bootstrap")  //
      ("timeout", po::value<double>()->default_value(analysis::QueryLimits().seconds),
       "seconds that reading a side may take");
  line.hidden.add_options()("sides", po::value<std::vector<std::string>>()->default_value({}, ""),
                            "FIRST OTHER");
  line.positional.add("sides", -1);
  return line;
}

}  // namespace

int compare_command(const Arguments& arguments) {
  CommandLine line = compare_line();
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const std::string format = values.count("json") > 0 ? "json" : values["format"].as<std::string>();
  analysis::CompareOptions options;
  const std::string out = values["out"].as<std::string>();
  if (!out.empty()) options.results = published_results(out);
  options.metrics = cluster::names_in_list(values["metric"].as<std::string>());
  for (const std::string& name : cluster::names_in_list(values["across"].as<std::string>()))
    options.across.insert(name);
  options.seed = values["seed"].as<std::uint64_t>();
  options.limits.seconds = values["timeout"].as<double>();
  if (!(options.limits.seconds > 0)) cluster::throw_usage("--timeout must be more than 0 seconds");
  const std::string references = values["references"].as<std::string>();
  const auto cited = experiments::find_cited_numbers(references, out, analysis::metric_names());
  const auto comparisons =
      analysis::compare_sides(values["sides"].as<std::vector<std::string>>(), options);
  if (!references.empty() && analysis::cited_beside(comparisons, cited).empty()) {
    cluster::log_warning("compare",
                         cluster::printable(references) +
                             " cites no number of a task, shots and metric that were compared");
  }
  if (format == "json") {
    std::cout << analysis::to_json(comparisons, cited).dump(2) << std::endl;
  } else {
    std::cout << analysis::compare_text(comparisons, format, cited) << std::flush;
  }
  return 0;
}

}  // namespace marquee::orchestrator
