#include "orchestrator/commands/choose_runs.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "analysis/report/query.h"
#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

constexpr std::size_t kShortestPrefix = 4, kIdLength = 64;

}  // namespace

void add_choice(CommandLine& line) {
  line.options.add_options()("where", po::value<std::string>()->default_value(""),
                             "SQL condition over the view results, such as \"task = 'dtd' AND "
                             "prompt_length = 128\"");
  line.hidden.add_options()("run", po::value<std::vector<std::string>>()->default_value({}, ""),
                            "RUN");
  line.positional.add("run", -1);
}

std::string whole_id(const std::filesystem::path& database, const std::string& prefix) {
  if (prefix.size() < kShortestPrefix || prefix.size() > kIdLength ||
      prefix.find_first_not_of("0123456789abcdef") != std::string::npos) {
    cluster::throw_usage("'" + prefix + "' is no run id; expected at least " +
                         std::to_string(kShortestPrefix) + " of its 64 hex digits");
  }
  const json found = analysis::query_rows(
      database, "SELECT run_id FROM runs WHERE run_id GLOB '" + prefix + "*' ORDER BY 1 LIMIT 2");
  if (found.empty())
    cluster::throw_usage("no run in " + database.string() + " has an id that starts with " +
                         prefix);
  if (found.size() > 1) {
    cluster::throw_usage("several runs have an id that starts with " + prefix + ": " +
                         found[0].at("run_id").get<std::string>() + ", " +
                         found[1].at("run_id").get<std::string>() + "; give more digits");
  }
  return found[0].at("run_id").get<std::string>();
}

std::vector<std::string> chosen_runs(const std::filesystem::path& database,
                                     const po::variables_map& values, bool all) {
  const auto words = values["run"].as<std::vector<std::string>>();
  const std::string where = values["where"].as<std::string>();
  const int ways = (words.empty() ? 0 : 1) + (values["where"].defaulted() ? 0 : 1) + (all ? 1 : 0);
  if (ways != 1)
    cluster::throw_usage("name the runs in one way: run ids, --where, or all of them (--help)");
  std::vector<std::string> runs;
  if (!words.empty()) {
    for (const std::string& word : words) {
      const std::string run = whole_id(database, word);
      if (std::find(runs.begin(), runs.end(), run) == runs.end()) runs.push_back(run);
    }
  } else {
    runs = analysis::run_ids_where(database, all ? "1" : where);
  }
  if (runs.empty()) cluster::throw_usage("no run in " + database.string() + " is chosen");
  return runs;
}

}  // namespace marquee::orchestrator
