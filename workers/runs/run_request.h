// What an executor is asked for, and what comes of it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "cluster/error.h"
#include "cluster/lease.h"
#include "cluster/stage_place.h"
#include "experiments/result_record.h"
#include "experiments/run_config.h"

namespace marquee::workers {

struct RunRequest {
  experiments::RunConfig run;
  int attempt = 1;
  std::uint64_t epoch = 0;
  std::filesystem::path results, data, assets;
  cluster::StagePlace stage{};       // where what is read is copied first; empty: nowhere
  std::filesystem::path networks{};  // where feature networks are; filled in by the executor
  std::uint64_t claim = 0;           // epoch of the run's claim; 0: none (experiments/claim.h)
  int rerun_of = 0;                  // AttemptRecord::rerun_of
  std::optional<cluster::LeaseFence> fence{};  // the attempt is not sealed when it no longer holds
};

// The GPU's memory does not suffice for the run; attempt.json's cause is of the kind
// "out_of_memory".
struct OutOfMemory : cluster::Error {
  static constexpr const char* kKind = "out_of_memory";
  explicit OutOfMemory(const std::string& message)
      : cluster::Error(cluster::ErrorKind::environment, message) {}
};

struct RunOutcome {
  std::optional<experiments::ResultRecord> result;  // absent: interrupted
  std::int64_t step = 0;                            // tuning steps taken
  bool served = false;  // as another rank than 0: its part is done, and rank 0 has the result
};

}  // namespace marquee::workers
