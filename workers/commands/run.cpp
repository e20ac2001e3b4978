// marquee run: one run, here, without MPI. It works beside sweeps and other single runs on the same
// results folder: its attempt is its own, and is handed in to whoever keeps the ledger.
#include <cstdio>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/stage_place.h"
#include "cluster/stop_signal.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"
#include "experiments/key_words.h"
#include "experiments/single_run.h"
#include "experiments/sweep_file.h"
#include "experiments/sweep_inputs.h"
#include "workers/commands/commands.h"
#include "workers/commands/terminal_progress.h"
#include "workers/device.h"
#include "workers/runs/run_executor.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using experiments::RunConfig;
using nlohmann::json;

// Filled from the base and the data, not by a person.
bool is_filled_in(const std::string& key) {
  return key.ends_with("_hash") || key == "num_classes" || key == "family";
}

std::string option_name(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return key;
}

// The configuration: a file's, else the defaults, with every option that was given on top.
RunConfig configuration(const po::variables_map& values) {
  const std::string file = values["config"].as<std::string>();
  json content = experiments::to_json(file.empty() ? RunConfig{} : experiments::load_run(file));
  for (auto& [key, value] : content.items()) {
    const auto given = values.find(option_name(key));
    if (is_filled_in(key) || given == values.end()) continue;
    const std::string text = given->second.as<std::string>();
    if (value.is_string()) {
      value = text;
      continue;
    }
    json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
    const bool fits = value.is_boolean()        ? parsed.is_boolean()
                      : value.is_number_float() ? parsed.is_number()
                                                : parsed.is_number_integer();
    if (!fits) {
      cluster::throw_usage("--" + option_name(key) + " is '" + text + "'; expected " +
                           (value.is_boolean()        ? "true or false"
                            : value.is_number_float() ? "a number"
                                                      : "a whole number"));
    }
    value = std::move(parsed);
  }
  // Said here, steps come over the epochs of the file.
  if (values.count("steps") != 0 && values.count("epochs") == 0) content["epochs"] = 0;
  const RunConfig run = experiments::run_config_from_json(content);
  if (run.task.empty() || run.shots.empty() || run.method.empty())
    cluster::throw_usage("name a --task, --shots and --method, or a --config file with them");
  experiments::check_run(run);
  datasets::find_task(run.task);
  return run;
}

// Hashes of what is there; a file that was written for other weights or data is refused.
void resolve(RunConfig& run, const fs::path& assets, const fs::path& data) {
  const RunConfig planned = run;
  experiments::resolve_hashes(run, assets, data);
  const auto check = [](const char* key, const std::string& wanted, const std::string& found) {
    if (wanted.empty() || wanted == found) return;
    cluster::throw_environment(std::string(key) + " of the configuration is " + wanted +
                               ", here it is " + found +
                               ": other weights or data; leave the key out to run with these");
  };
  check("base_hash", planned.base_hash, run.base_hash);
  check("network_hash", planned.network_hash, run.network_hash);
  check("data_hash", planned.data_hash, run.data_hash);
}

// Says so when the result is not in the database yet.
void tell(const experiments::Delivery& delivery) {
  if (!delivery.taken)
    std::cerr << "marquee: the result is sealed and waits in the inbox: " << delivery.busy
              << std::endl;
}

void print(const experiments::RunId& id, const experiments::ResultRecord& result,
           const fs::path& folder, bool as_json) {
  if (as_json) {
    std::cout << json{{"run_id", id.text()},
                      {"folder", folder.string()},
                      {"result", experiments::to_json(result)}}
                     .dump()
              << "\n";
    return;
  }
  std::cout << "run " << id.text() << ", " << result.trainable_parameters << " trained numbers\n";
  for (const experiments::MetricValue& metric : result.metrics) {
    char text[160];
    std::snprintf(text, sizeof text, "  %-10s %12.6f", metric.metric.c_str(), metric.value);
    std::cout << text;
    if (metric.standard_error) {
      std::snprintf(text, sizeof text, "  +- %.6f", *metric.standard_error);
      std::cout << text;
    }
    std::cout << "   (" << metric.n_generated << " against " << metric.n_reference << ", "
              << metric.protocol << ")\n";
  }
  std::cout << folder.string() << "\n";
}

int run(RunConfig config, const po::variables_map& values) {
  const cluster::StagePlace stage = cluster::find_stage_place(values["stage"].as<std::string>());
  const fs::path assets = experiments::find_assets_dir(values["assets"].as<std::string>());
  fs::path data = values["data"].as<std::string>();
  if (!data.empty() && !fs::is_directory(data))
    cluster::throw_environment("no data folder at " + data.string());
  if (!data.empty()) data = fs::canonical(data);
  resolve(config, assets, data);
  const experiments::RunId id = experiments::run_id(config);

  cluster::create_directories_durably(values["out"].as<std::string>());
  const fs::path results = fs::canonical(values["out"].as<std::string>());
  const bool as_json = values.count("json") != 0;
  if (const auto record = experiments::finished_attempt(results, id)) {
    tell(experiments::hand_in(results, id, record->attempt));
    print(id, *record->result, experiments::attempt_dir(results, id, record->attempt), as_json);
    return 0;
  }

  const experiments::SingleRun single(results, config);
  const fs::path folder = single.folder();
  const RunRequest request{config, single.attempt(),      single.epoch(), results,
                           data,   fs::canonical(assets), stage};
  TerminalProgress terminal(values.count("quiet") != 0);
  LocalCommunicator alone;
  RunOutcome outcome;
  try {
    outcome = RunExecutor(config.threads, compute_device()).execute(request, alone, terminal);
  } catch (const std::exception&) {
    terminal.end();
    tell(single.hand_in());
    throw;
  }
  terminal.end();
  tell(single.hand_in());
  if (!outcome.result) {
    std::cerr << "marquee: stopped after tuning step " << outcome.step
              << "; the same command goes on from there" << std::endl;
    return 128 + cluster::stop_signal();
  }
  print(id, *outcome.result, folder, as_json);
  return 0;
}

}  // namespace

int run_command(const cluster::Arguments& arguments) {
  cluster::CommandLine line;
  line.usage = "marquee run --task TASK --shots N --method METHOD --out DIR [options]";
  line.text =
      "One run, here, without MPI: tunes, samples, scores, and enters the result into DIR beside\n"
      "those of sweeps. A run that DIR holds already is only shown; one that was cut off goes on\n"
      "from its last checkpoint. Sweeps and other single runs may work on DIR meanwhile.\n\n"
      "  marquee run --task drawn/shapes_count --shots 5 --method prompt --learning-rate 0.01 \\\n"
      "              --steps 100 --samples 256 --out results\n"
      "  marquee run --config results/runs/ID/attempt-1/run.yaml --seed 3 --out results";
  line.options.add_options()  //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(),
       "results folder, made when missing")  //
      ("config", po::value<std::string>()->value_name("FILE")->default_value(""),
       "YAML file of run keys, such as the run.yaml of an attempt; options override it")  //
      ("data", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of TFDS data sets")  //
      ("assets", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of base models (default: MARQUEE_ASSETS, else the installed ones)")  //
      ("stage", po::value<std::string>()->value_name("DIR[:SIZE]")->default_value(""),
       "DIR or DIR:SIZE on this host's own disk: data and weights are copied there once and read "
       "from there (default: MARQUEE_STAGE)")            //
      ("json", "the result as JSON on standard output")  //
      ("quiet,q", "no progress on standard error");
  const json defaults = experiments::to_json(RunConfig{});
  for (const auto& [key, value] : defaults.items()) {
    if (is_filled_in(key) || key == "numerics_version") continue;
    const std::vector<std::string> words =
        key == "task" ? datasets::task_names() : experiments::key_words(key);
    po::value_semantic* const kind = key == "task"   ? cluster::such_as(words)
                                     : words.empty() ? po::value<std::string>()
                                                     : cluster::one_of(words);
    line.options.add_options()(option_name(key).c_str(), kind,
                               ("run key (default " + value.dump() + ")").c_str());
  }
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const RunConfig config = configuration(values);
  cluster::LogOptions log;
  log.who = cluster::host_name();
  log.quiet = true;
  cluster::init_log(log);
  cluster::install_stop_signals();
  at::set_num_threads(config.threads);
  at::set_num_interop_threads(1);
  return run(config, values);
}

}  // namespace marquee::workers
