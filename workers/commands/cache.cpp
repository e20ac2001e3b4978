// marquee data cache: the token cache of a split ahead of the runs that need it.
#include <iostream>

#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/stop_signal.h"
#include "datasets/dataset.h"
#include "datasets/few_shot.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"
#include "experiments/key_words.h"
#include "experiments/sweep_inputs.h"
#include "workers/commands/commands.h"
#include "workers/commands/terminal_progress.h"
#include "workers/tuning/token_set.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using experiments::RunConfig;

struct Stopped {};

// The run whose tokens these are: what the cache is keyed by, at the values of the options.
RunConfig run_of(const po::variables_map& values) {
  RunConfig run;
  run.task = values["task"].as<std::string>();
  run.shots = values["shots"].as<std::string>();
  run.method = "prompt";
  run.base = values["base"].as<std::string>();
  run.seed = values["seed"].as<std::uint64_t>();
  run.crops = values["crops"].as<int>();
  run.flip = values.count("no-flip") == 0;
  run.decode = values["decode"].as<std::string>();
  run.on_bad_record = values["on-bad-record"].as<std::string>();
  run.threads = values["workers"].as<int>();
  experiments::check_run(run);
  return run;
}

}  // namespace

int cache_command(const cluster::Arguments& arguments) {
  cluster::CommandLine line;
  line.usage = "marquee data cache --task NAME --out DIR [--data DIR] [options]";
  line.text =
      "Tokenises a task's training images ahead of the runs that need them, into the cache of the\n"
      "results folder DIR, which every run there shares. What is there already is kept; a stopped\n"
      "command goes on where it was; runs and further commands may work beside it.\n\n"
      "  marquee data cache --task eurosat --data TFDS --out results --workers 4\n"
      "  marquee data cache --task svhn --shots vtab1k --no-flip --data TFDS --out results";
  line.options.add_options()                                                    //
      ("task,t", cluster::such_as(datasets::task_names())->required(), "task")  //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(),
       "results folder, made when missing")  //
      ("data", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of data sets")  //
      ("shots", cluster::such_as({"full", "vtab1k"})->default_value("full"),
       "full: train and val; vtab1k; or a number of images a class")                    //
      ("split", po::value<std::string>(), "all of a split instead, such as train")      //
      ("seed", po::value<std::uint64_t>()->default_value(0), "of a choice by --shots")  //
      ("base", po::value<std::string>()->default_value("mini"), "base model")           //
      ("crops", po::value<int>()->default_value(1), "run key crops")                    //
      ("no-flip", "run key flip: false")                                                //
      ("decode", cluster::one_of(experiments::key_words("decode"))->default_value("accurate"),
       "run key decode")  //
      ("on-bad-record",
       cluster::one_of(experiments::key_words("on_bad_record"))->default_value("refuse"),
       "run key on_bad_record")                                                         //
      ("workers,w", po::value<int>()->default_value(1), "images encoded side by side")  //
      ("assets", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder of base models")                              //
      ("json", "what is cached as JSON on standard output")  //
      ("quiet,q", "no progress on standard error");
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  cluster::LogOptions log;
  log.who = cluster::host_name();
  cluster::init_log(log);
  cluster::install_stop_signals();
  at::set_num_threads(1);
  at::set_num_interop_threads(1);

  RunConfig run = run_of(values);
  const fs::path data_dir = values["data"].as<std::string>();
  if (!data_dir.empty() && !fs::is_directory(data_dir))
    cluster::throw_environment("no data folder at " + data_dir.string());
  const fs::path assets = experiments::find_assets_dir(values["assets"].as<std::string>());
  experiments::resolve_hashes(run, assets, data_dir);
  const BaseModel base = load_base(experiments::load_base_manifest(assets, run.base));
  const datasets::DataFolder data = experiments::data_folder(
      run, data_dir, fs::absolute(values["out"].as<std::string>()) / "cache");

  const bool whole = values.count("split") > 0;
  const std::string split =
      whole ? values["split"].as<std::string>() : std::string(datasets::split_for_shots(run.shots));
  const auto dataset = datasets::open_dataset(datasets::find_task(run.task), split, data);
  const std::vector<std::size_t> rows =
      datasets::select_shots(*dataset, whole ? "full" : run.shots, run.seed);
  const TokenRecipe recipe = token_recipe(run, split);
  TerminalProgress terminal(values.count("quiet") > 0);
  CachedTokens cached;
  try {
    cached = cached_tokens(recipe, *dataset, data, base, rows, run.threads,
                           [&](std::int64_t done, std::int64_t total) {
                             terminal.progress("images", done, total, 0);
                             if (terminal.interrupted()) throw Stopped{};
                           });
  } catch (const Stopped&) {
    terminal.end();
    std::cerr << "marquee: stopped; the same command goes on from there" << std::endl;
    return 128 + cluster::stop_signal();
  }
  terminal.end();
  const std::string file = token_file(recipe, data, base).string();
  const std::size_t skipped = cached.unreadable.size() + dataset->skipped().size();
  if (values.count("json") > 0) {
    std::cout << nlohmann::json{{"file", file},
                                {"task", run.task},
                                {"split", split},
                                {"images", rows.size()},
                                {"views", cached.ids.size(1) * cached.ids.size(2)},
                                {"skipped", skipped}}
                     .dump()
              << "\n";
    return 0;
  }
  std::cout << file << ": " << rows.size() << " images of " << split << ", "
            << cached.ids.size(1) * cached.ids.size(2) << " views each";
  if (skipped > 0) std::cout << "; " << skipped << " records skipped";
  std::cout << std::endl;
  return 0;
}

}  // namespace marquee::workers
