// A sweep as a command asks for it, and all that can be checked of it before anything is written.
// Thread safe.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cluster/stage_place.h"
#include "experiments/sweep_file.h"
#include "orchestrator/sweep/run_list.h"

namespace marquee::orchestrator {

struct SweepOptions {
  std::filesystem::path file;
  std::filesystem::path out;
  std::filesystem::path data;      // empty: none
  std::filesystem::path assets;    // empty: found (see experiments/base_manifest.h)
  cluster::StagePlace stage{};     // where trainers copy what they read
  int workers = 0;                 // 0: as many as slots; only when marquee starts itself
  int slots_per_host = 0;          // 0: GPUs, else cores / threads
  std::string subset;              // of the sweep file; empty: all runs
  std::filesystem::path run_list;  // instead of a sweep file: runs to go on with (run_list.h)
  int max_fails = 0;               // stop when so many runs have been set aside; 0: never
  std::string time_limit;          // as given; "": SLURM_JOB_END_TIME, if that is set
  double time_margin = 90;         // seconds before the end at which everything is stopped
  bool probe = false;              // where no finished run tells how long runs take
  bool leave_rest = false;         // workers: end when others that live compute what is left
  bool simulate = false;           // no-op trainers, as the sweep's `simulate` block says
  bool json = false;
  bool quiet = false;
};

// A sweep whose file, base model and data have been checked; run ids are final.
struct PreparedSweep {
  experiments::SweepFile sweep;    // without a name where it is a list of runs
  RunList list{};                  // that list
  std::filesystem::path assets{};  // absolute; empty where it is simulated
  std::filesystem::path data{};    // absolute or empty
};

// Everything that can be checked without agents and without writing. Throws usage or environment.
PreparedSweep prepare_sweep(const SweepOptions& options);

// The folder that `named` (--data) is, as its whole path; empty where it is empty. Throws
// environment when it is not there.
std::filesystem::path find_data_dir(const std::filesystem::path& named);

// The most threads that one of the runs uses; slots are counted with it.
int threads_of(const std::vector<experiments::RunConfig>& runs);

// The most slots that one of the runs takes.
int largest_gang(const std::vector<experiments::RunConfig>& runs);

// Agents that `marquee sweep` starts here when it is not told how many: one for each slot of this
// host, and no more than runs.
int workers_for(const SweepOptions& options, const experiments::SweepFile& sweep);

}  // namespace marquee::orchestrator
