// A run that is computed outside a sweep (`marquee run`, an element of a job array): it needs no
// lease, so any number can work on one results folder, beside a sweep as well. It claims an attempt
// folder for itself, and hands the sealed attempt in when it is over (inbox.h). Not thread safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "experiments/brief_hold.h"
#include "experiments/run_config.h"
#include "experiments/run_folder.h"

namespace marquee::experiments {

class SingleRun {
 public:
  // Claims the next attempt of the run below `results` and notes its start there.
  SingleRun(std::filesystem::path results, const RunConfig& run);

  int attempt() const { return attempt_; }
  std::uint64_t epoch() const { return epoch_; }  // of the lease when it started
  std::filesystem::path folder() const;
  // After the attempt's record is sealed.
  Delivery hand_in() const;

 private:
  std::filesystem::path results_;
  RunId id_;
  std::uint64_t epoch_;
  int attempt_;
};

// The newest finished attempt of a run, by its folder.
std::optional<AttemptRecord> finished_attempt(const std::filesystem::path& results,
                                              const RunId& run);
// Hands a sealed attempt in; one that the ledger has changes nothing.
Delivery hand_in(const std::filesystem::path& results, const RunId& run, int attempt);

}  // namespace marquee::experiments
