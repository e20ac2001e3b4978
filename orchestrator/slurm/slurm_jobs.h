// What has been submitted to Slurm for a results folder: results/slurm/<job name>/ with job.json
// (the record), job.sh (the script), and what the script leaves there: started-<job>-<restart>,
// ended-<job>-<restart> (its exit code), log-<job>.txt; `cancelled` tells it not to go on.
//
// A job is known by a name of our own. Its number is only what Slurm said last: a controller that
// dies may forget jobs that it had accepted and give their numbers to others. So nothing is done to
// a job that does not carry the name. Not thread safe.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cluster/slurm.h"

namespace marquee::orchestrator {

struct SubmittedJob {
  std::string name;
  std::string title;       // "sweep vtab (vtab.yaml)", "rerun of 12 runs"
  std::string launcher;    // mpirun, srun, array
  int elements = 1;        // of an array
  std::string made, host;  // UTC, of the last submission
  std::string job_id;      // "": no answer has come
  int submissions = 0;
};

std::filesystem::path job_folder(const std::filesystem::path& results, const std::string& name);
// Durable; makes the folder.
void write_job(const std::filesystem::path& results, const SubmittedJob& job);
// Throws environment naming the file and what is wrong with it.
SubmittedJob read_job(const std::filesystem::path& results, const std::string& name);
// By time of submission, oldest first; unreadable ones are logged and skipped.
std::vector<SubmittedJob> read_jobs(const std::filesystem::path& results);

// What a job's script has left in its folder.
struct JobTraces {
  struct End {
    std::string job_id;
    int restart = 0;
    int code = 0;
  };
  std::vector<std::pair<std::string, int>> started;  // job number, restart
  std::vector<End> ended;
  bool cancelled = false;
};
JobTraces read_traces(const std::filesystem::path& folder);

struct JobStanding {
  enum class State {
    waiting,  // in Slurm's queue
    held,     // in the queue, but somebody has to release it
    running,  // or starting, or ending
    ended,    // with an exit code, or as Slurm ended it
    cancelled,
    lost,      // Slurm does not know it, and it never started: the controller forgot it
    vanished,  // it started, but neither it nor Slurm tells of an end
  };
  State state = State::lost;
  std::string text;    // for people: reason, nodes, codes, what to do
  int exit_code = -1;  // of its script, where that has ended; the worst of an array
  std::vector<std::string> active_ids;  // numbers of jobs with the name that may still do something
  std::vector<std::string> held_ids;
};
std::string state_name(JobStanding::State state);
// Whether submitting it again is right: nothing of it waits or runs.
bool is_over(const JobStanding& standing);

// `jobs`: all that Slurm knows under its name. Pure.
JobStanding standing_of(const SubmittedJob& job, const JobTraces& all_traces,
                        const std::vector<cluster::SlurmJob>& jobs);

}  // namespace marquee::orchestrator
