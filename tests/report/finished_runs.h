// A results folder with finished runs, for tests of what reads the published database.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "experiments/ledger.h"
#include "experiments/run_folder.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::analysis {

inline const std::string kNetwork(64, 'b');

inline experiments::RunConfig run_of(const std::string& task, const std::string& method,
                                     std::uint64_t seed = 0, const std::string& shots = "5") {
  experiments::RunConfig run;
  run.task = task;
  run.shots = shots;
  run.method = method;
  run.seed = seed;
  return run;
}

inline std::string id_of(const experiments::RunConfig& run) {
  return experiments::run_id(run).text();
}

inline experiments::MetricValue metric_of(const std::string& name, double value,
                                          std::optional<double> error = 0.3) {
  return {name, value, error, 256, 1000, "mini-v0", kNetwork};
}

inline void finish_run(experiments::Ledger& ledger, const experiments::RunConfig& run,
                       const std::vector<experiments::MetricValue>& metrics,
                       experiments::ResultRecord result = {}) {
  ledger.register_run(run);
  experiments::AttemptRecord record;
  record.run_id = id_of(run);
  record.attempt =
      ledger.start_attempt(experiments::run_id(run), "here", 0, experiments::AttemptFolder::none);
  record.epoch = 1;
  record.status = "done";
  record.started = record.ended = "2026-01-01T00:00:00.000Z";
  record.run = experiments::to_json(run);
  result.metrics = metrics;
  record.result = std::move(result);
  ledger.finish_attempt(record);
}

class FinishedRuns : public testing::Test {
 protected:
  FinishedRuns() : ledger_(experiments::Ledger::open(folder_.path(), 1)) {}

  void finish(const experiments::RunConfig& run,
              const std::vector<experiments::MetricValue>& metrics) {
    finish_run(ledger_, run, metrics);
  }
  std::filesystem::path file() const { return folder_.path() / "results.sqlite"; }

  cluster::TemporaryFolder folder_;
  experiments::Ledger ledger_;
};

}  // namespace marquee::analysis
