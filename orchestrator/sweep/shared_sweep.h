// A sweep as one of several workers sees it that share it through files alone, without a
// coordinator (`marquee work`, elements of a job array): which run to take next, from what lies in
// the results folder: sealed attempts, claims (experiments/claim.h), and what the published
// database says. Not thread safe.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/lease.h"
#include "experiments/run_config.h"
#include "experiments/run_folder.h"
#include "experiments/run_time_model.h"
#include "orchestrator/scheduling/failure_kind.h"
#include "orchestrator/scheduling/planned_run.h"

namespace marquee::orchestrator {

struct SharedCounts {
  std::size_t total = 0, done = 0, failed = 0, cancelled = 0;
  std::size_t elsewhere = 0;  // claimed by others
  std::size_t late = 0;       // would not reach a checkpoint in the time that is left
  bool operator==(const SharedCounts&) const = default;
};

class SharedSweep {
 public:
  // `since`: UTC; attempts that failed before do not count against a run. `stale_after_seconds`: a
  // claim of another host that stands still for so long is taken over.
  SharedSweep(std::filesystem::path results, std::vector<experiments::RunConfig> runs,
              std::string since, std::string machine, double stale_after_seconds);

  // Throws Error{busy} while a coordinator holds the folder: its runs are not to be claimed.
  void refuse_coordinator();

  struct Taken {
    std::size_t run = 0;  // of runs()
    std::string run_id;
    int attempt = 0;   // its folder is there, and nobody else's
    int rerun_of = 0;  // the finished attempt that it is wanted after; 0: none
    cluster::Lease claim;
  };
  // Looks at what is open, in starting order, and claims the first run that nobody works on.
  // Throws as refuse_coordinator. `seconds_left`: a run that is known to reach no checkpoint in
  // that time is left alone.
  std::optional<Taken> take_next(double seconds_left);

  const std::vector<experiments::RunConfig>& runs() const { return runs_; }
  // These three: as of the last take_next, which took nothing.
  const SharedCounts& counts() const { return counts_; }
  // Nothing is left to take, and nobody computes anything.
  bool all_over() const { return counts_.elsewhere == 0; }
  // Nothing is left to take, and every claim of another has been seen to be renewed: whoever waits
  // any longer waits for their work.
  bool left_to_living() const { return all_living_; }

 private:
  enum class State { open, done, failed, cancelled };
  struct Known {
    std::string status;   // as published; "" where the run is not there
    int rerun_after = 0;  // a finished attempt up to this one does not count
  };
  enum class Look { open, elsewhere, late, over };
  void refresh();
  Look look_at(std::size_t place, double seconds_left);
  // What the run's folder says about it.
  State state_of(std::size_t place) const;
  // Up to this attempt finished ones do not count: the run is wanted again.
  int wanted_after(const std::string& run_id) const;
  bool used_up(const std::vector<experiments::AttemptRecord>& attempts, int after) const;

  std::filesystem::path results_;
  std::vector<experiments::RunConfig> runs_;
  std::string since_, machine_;
  double stale_after_seconds_;
  std::vector<PlannedRun> order_;
  std::vector<State> states_;  // by place in order_
  std::map<std::string, Known> known_;
  std::optional<experiments::RunTimeModel> times_;
  cluster::LeaseWatch folder_watch_;
  std::map<std::string, cluster::LeaseWatch> watches_;  // of claims, by run id
  SharedCounts counts_;
  bool all_living_ = false;
};

}  // namespace marquee::orchestrator
