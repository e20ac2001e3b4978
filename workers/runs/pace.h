// What an attempt tells of its progress, phase by phase, and how it is asked to leave.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "workers/tuning/communicator.h"
#include "workers/tuning/token_cache.h"

namespace marquee::workers {

// Where progress goes and requests to stop come from.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  // phase: load, cache, tune, sample, score, save. The next call is due within `deadline_seconds`.
  virtual void progress(const std::string& phase, std::int64_t step, std::int64_t total,
                        double deadline_seconds) = 0;
  // Asked between steps: leave at the next good place.
  virtual bool interrupted() = 0;
};

// Thrown through counted work to leave it; never crosses RunExecutor::execute().
struct Interrupted {};

// Deadlines from the pace of a phase so far: generous, since a machine may be shared, but finite.
class Pace {
 public:
  Pace(ProgressSink& sink, std::string phase);

  // Throws Interrupted.
  void report(std::int64_t step, std::int64_t total);
  // Of a gang, whose members leave together: where its sums go on beside computing, one step after
  // somebody has asked, so that nobody waits for the answers.
  void report(std::int64_t step, std::int64_t total, Communicator& gang);
  CountProgress counter();

 private:
  bool goes_on(std::int64_t step, std::int64_t total);

  ProgressSink& sink_;
  std::string phase_;
  double last_, slowest_ = 0, deadline_ = 0;
  bool reported_ = false;
  std::unique_ptr<PendingSum> asked_;  // of the step before
};

}  // namespace marquee::workers
