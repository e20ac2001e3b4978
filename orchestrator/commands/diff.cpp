// marquee diff: two runs, or two attempts of one, side by side.
#include <iostream>
#include <limits>

#include "analysis/report/run_diff.h"
#include "cluster/error.h"
#include "cluster/number_list.h"
#include "orchestrator/commands/choose_runs.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;

CommandLine diff_line() {
  CommandLine line;
  line.usage = "marquee diff --out DIR RUN[/ATTEMPT] RUN[/ATTEMPT] [--json]";
  line.text =
      "In what two runs differ: configuration, how each was made (program, libraries, device,\n"
      "data), the hashes of what came out, and every metric. RUN is a run id or its first four or\n"
      "more digits; of a run that was computed again RUN/1 and RUN/2 are its attempts (without "
      "one:\n"
      "the attempt that counts).\n\n"
      "  marquee diff --out results 3f0c 91ab\n"
      "  marquee diff --out results 3f0c/1 3f0c/2";
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("json", "configuration, made, content, same_content, before, after, metrics");
  line.hidden.add_options()("runs", po::value<std::vector<std::string>>()->default_value({}, ""),
                            "RUN");
  line.positional.add("runs", -1);
  return line;
}

// "3f0c/2": the whole id, and 2; 0 without one.
std::pair<std::string, int> run_and_attempt(const std::filesystem::path& database,
                                            const std::string& word) {
  const std::size_t slash = word.find('/');
  int attempt = 0;
  if (slash != std::string::npos) {
    const auto number =
        cluster::parse_number(word.substr(slash + 1), std::numeric_limits<int>::max());
    if (!number || *number < 1)
      cluster::throw_usage("'" + word + "': expected RUN/ATTEMPT, as 3f0c/2");
    attempt = static_cast<int>(*number);
  }
  return {whole_id(database, word.substr(0, slash)), attempt};
}

}  // namespace

int diff_command(const Arguments& arguments) {
  CommandLine line = diff_line();
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const auto words = values["runs"].as<std::vector<std::string>>();
  if (words.size() != 2)
    cluster::throw_usage("expected two runs, not " + std::to_string(words.size()) +
                         "\nusage: " + line.usage);
  const std::filesystem::path database = published_results(values["out"].as<std::string>());
  const auto [before, before_attempt] = run_and_attempt(database, words[0]);
  const auto [after, after_attempt] = run_and_attempt(database, words[1]);
  const analysis::RunDiff diff =
      analysis::load_run_diff(database, {before, after, before_attempt, after_attempt});
  if (values.count("json") > 0) {
    std::cout << analysis::to_json(diff).dump(2, ' ', true,
                                              nlohmann::json::error_handler_t::replace)
              << std::endl;
  } else {
    std::cout << analysis::run_diff_text(diff) << std::flush;
  }
  return 0;
}

}  // namespace marquee::orchestrator
