// Writes a results folder of made-up numbers, marked as synthetic everywhere a reader looks, for
// timings of what reads results: marquee_synthetic_results OUT [RUNS]
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "cluster/philox.h"
#include "datasets/task.h"
#include "experiments/ledger.h"
#include "experiments/run_folder.h"

namespace {

using namespace marquee;
using experiments::MetricValue;
using experiments::RunConfig;

// VTAB's tasks x shots x methods and prompts, seed after seed until there are enough.
std::vector<RunConfig> synthetic_runs(std::size_t count) {
  struct Method {
    const char* name;
    int length, factors;
  };
  const Method methods[] = {{"prompt", 1, 0},   {"prompt", 16, 0}, {"prompt", 16, 4},
                            {"finetune", 0, 0}, {"scratch", 0, 0}, {"none", 0, 0}};
  std::vector<RunConfig> runs;
  for (std::uint64_t seed = 0;; ++seed) {
    for (const datasets::TaskInfo& task : datasets::all_tasks()) {
      if (task.group == datasets::TaskGroup::drawn) continue;
      for (const char* shots : {"1", "5", "20", "vtab1k", "full"}) {
        for (const Method& method : methods) {
          if (runs.size() == count) return runs;
          RunConfig run;
          run.task = task.name;
          run.shots = shots;
          run.method = method.name;
          run.seed = seed;
          run.base = "synthetic";
          run.protocol = "synthetic";
          if (method.length > 0) run.prompt_length = method.length;
          if (method.factors > 0) {
            run.prompt_kind = "factorised";
            run.factors = method.factors;
          }
          runs.push_back(run);
        }
      }
    }
  }
}

experiments::ResultRecord made_up(const RunConfig& run, std::uint64_t number) {
  cluster::PhiloxStream stream(number, cluster::Purpose::comparison, 2);
  const double skill = run.method == "none" ? 80 : run.method == "scratch" ? 40 : 20;
  experiments::ResultRecord result;
  for (const char* metric : {"fid", "kid", "precision", "recall", "density", "coverage", "vendi",
                             "memorisation", "label_accuracy"}) {
    const double value =
        std::strcmp(metric, "fid") == 0 ? skill + 3 * stream.normal() : stream.uniform_double();
    result.metrics.push_back({metric, value, 0.1, 1000, 5000, "synthetic", std::string(64, 's')});
  }
  result.trainable_parameters = 5376;
  result.seconds = 100 + 10 * stream.uniform_double();
  result.result_sha256 = std::string(64, '0');
  result.fingerprint = {{"device", "synthetic"}, {"threads", 1}, {"marquee", "synthetic"}};
  result.provenance = {{"synthetic", true}, {"commit", "synthetic"}};
  return result;
}

int write(const std::filesystem::path& out, std::size_t count) {
  if (std::filesystem::exists(out / "ledger.sqlite")) {
    std::cerr << out << " holds results already\n";
    return 2;
  }
  std::filesystem::create_directories(out);
  experiments::Ledger ledger = experiments::Ledger::open(out, 1);
  experiments::SweepFile sweep;
  sweep.name = "synthetic";
  sweep.file = "synthetic.yaml";
  sweep.runs = synthetic_runs(count);
  ledger.begin_batch();
  ledger.register_sweep(sweep);
  std::uint64_t number = 0;
  for (const RunConfig& run : sweep.runs) {
    const experiments::RunId id = experiments::run_id(run);
    experiments::AttemptRecord record;
    record.run_id = id.text();
    record.attempt = ledger.start_attempt(id, "synthetic", static_cast<int>(number % 8),
                                          experiments::AttemptFolder::none);
    record.epoch = 1;
    record.host = "synthetic";
    record.started = "2026-01-01T00:00:00.000Z";
    record.ended = "2026-01-01T00:02:00.000Z";
    record.run = experiments::to_json(run);
    // One in a hundred fails for good.
    if (++number % 100 == 0) {
      record.status = "failed";
      record.cause.kind = "crash";
      record.cause.message = "synthetic";
    } else {
      record.status = "done";
      record.result = made_up(run, number);
    }
    ledger.finish_attempt(record);
  }
  ledger.commit_batch();
  ledger.publish();
  std::cout << sweep.runs.size() << " synthetic runs in " << out.string() << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 10'000;
  const bool counted = argc == 3;
  if (counted) std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), count);
  if (argc < 2 || argc > 3 || count < 1 || count > 1'000'000) {
    std::cerr << "usage: marquee_synthetic_results OUT [RUNS]\n";
    return 2;
  }
  return write(argv[1], count);
}
