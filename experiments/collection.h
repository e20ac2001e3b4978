// Garbage collection in the folder of a run: checkpoints that nothing needs any more, pictures and
// failed attempts where the policy says so, and what killed processes left behind.
//
// Never goes: the newest valid checkpoint of a run that is not done (and the valid one before it),
// nor that of attempts after the one that counts, which compute a finished run again; anything of
// a run with a running attempt; anything of an attempt whose record says running, unless a result
// came after it; the folder of the attempt that counts. Removal is crash safe: a file goes in one
// step, a folder is renamed aside first and taken up again by the next collection. Only the holder
// of the results folder's lease collects.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "experiments/keep_policy.h"

namespace marquee::experiments {

struct Removal {
  std::filesystem::path path;
  std::string reason;
  std::int64_t bytes = 0;
  bool folder = false;
};

// Standing of a run, as the ledger has it.
enum class RunStanding { unfinished, running, done };

// What of results/runs/<run id> can go. Reads checkpoints to tell valid ones. Changes nothing.
std::vector<Removal> plan_collection(const std::filesystem::path& run_folder,
                                     const KeepPolicy& policy, RunStanding standing);

// Called before each change on disk; a test dies there.
using BeforeChange = std::function<void()>;

// Carries the plan out; throws environment naming what could not be removed.
void remove_planned(const std::vector<Removal>& plan, const BeforeChange& before = {});

// Both; returns the bytes that are free now.
std::int64_t collect_run(const std::filesystem::path& run_folder, const KeepPolicy& policy,
                         RunStanding standing, const BeforeChange& before = {});

}  // namespace marquee::experiments
