#include "orchestrator/commands/sweep_options.h"

#include "cluster/error.h"
#include "orchestrator/sweep/time_limit.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;

template <typename Value>
void read(const po::variables_map& values, const char* name, Value& into) {
  if (values.count(name) > 0) into = values[name].as<Value>();
}

void read_path(const po::variables_map& values, const char* name, std::filesystem::path& into) {
  if (values.count(name) > 0) into = values[name].as<std::string>();
}

void at_least_one(const char* name, int value) {
  if (value < 0)
    cluster::throw_usage("--" + std::string(name) + " must be at least 1, not " +
                         std::to_string(value));
}

}  // namespace

SweepOptions sweep_options_from(const po::variables_map& values) {
  SweepOptions options;
  read_path(values, "file", options.file);
  read_path(values, "run-list", options.run_list);
  read_path(values, "out", options.out);
  read_path(values, "data", options.data);
  read_path(values, "assets", options.assets);
  if (values.count("stage") > 0)
    options.stage = cluster::find_stage_place(values["stage"].as<std::string>());
  read(values, "subset", options.subset);
  read(values, "workers", options.workers);
  read(values, "slots-per-host", options.slots_per_host);
  read(values, "max-fails", options.max_fails);
  read(values, "time-limit", options.time_limit);
  read(values, "time-margin", options.time_margin);
  options.probe = values.count("probe") > 0;
  options.simulate = values.count("simulate") > 0;
  options.json = values.count("json") > 0;
  options.quiet = values.count("quiet") > 0;
  at_least_one("workers", options.workers);
  at_least_one("slots-per-host", options.slots_per_host);
  at_least_one("max-fails", options.max_fails);
  if (!options.time_limit.empty()) parse_time_limit(options.time_limit);
  if (!(options.time_margin >= 0)) {
    cluster::throw_usage("--time-margin must be 0 or more seconds, not " +
                         std::to_string(options.time_margin));
  }
  return options;
}

SweepOptions named_sweep_from(const po::variables_map& values, const std::string& usage) {
  SweepOptions options = sweep_options_from(values);
  if (options.file.empty() == options.run_list.empty())
    cluster::throw_usage("name a sweep FILE\nusage: " + usage + "   (--help explains)");
  return options;
}

}  // namespace marquee::orchestrator
