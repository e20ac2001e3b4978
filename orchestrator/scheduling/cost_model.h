// How long the runs of a sweep will take, by kind (PlannedRun::kind): from what this sweep has
// measured so far, else from earlier runs in the ledger, else from a probe, else from relative
// costs, put into seconds as soon as one run has told how fast they go. Refined while runs finish:
// a kind is looked at again when twice as many runs tell about it as at the last look, and at most
// so many kinds with each finished run, so that a finish costs little however much waits.
// Deterministic; not thread safe.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "experiments/run_time_model.h"
#include "orchestrator/scheduling/planned_run.h"
#include "orchestrator/scheduling/run_queue.h"

namespace marquee::orchestrator {

class CostModel {
 public:
  // `history`: earlier runs. `probed`: what a probe has told; asked where the others know nothing.
  CostModel(experiments::RunTimeModel history, experiments::RunTimeModel probed);

  // What is expected of the kind that `planned`, a plan of `run`, is of.
  const Estimate& know(const PlannedRun& planned, const experiments::RunConfig& run);

  struct Change {
    std::uint64_t kind = 0;
    Estimate estimate;
  };
  // Of every kind that it knows, in the order in which it came to know them.
  std::vector<Change> all() const;
  // A run of this sweep has finished. Returns what is expected otherwise than before.
  std::vector<Change> learn(const PlannedRun& planned, const experiments::RunConfig& run,
                            const std::string& machine, const experiments::PhaseTimes& times);

  // Whether estimates are in seconds: something has finished, or a probe has told.
  bool in_seconds() const { return rate_ > 0; }

 private:
  struct Kind {
    experiments::Workload work;
    Estimate estimate;
    bool measured = false;  // by runs that are like it
    bool queued = false;    // to be looked at again
  };
  // What finished runs share with kinds at some level (Workload::alike).
  struct Likeness {
    std::uint64_t finished = 0, next_look = 1;
    std::vector<std::uint64_t> kinds;
  };
  void look_at(Kind& kind);
  void queue(std::uint64_t kind);

  experiments::RunTimeModel times_, probed_;
  double rate_ = 0;  // seconds of a unit of cost, of what nobody is like; 0: not known
  Likeness all_;
  std::unordered_map<std::uint64_t, Kind> kinds_;
  std::unordered_map<std::uint64_t, Likeness> alike_;
  std::deque<std::uint64_t> queue_;
  std::vector<std::uint64_t> order_;  // of kinds, as they became known
};

}  // namespace marquee::orchestrator
