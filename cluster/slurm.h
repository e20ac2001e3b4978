// Slurm through its own programs (sbatch, squeue, scancel, scontrol), each given a minute. What
// they print is bounded and checked. Not thread safe.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace marquee::cluster {

// One job, or one element of an array.
struct SlurmJob {
  std::string id{};      // "17"; of an element "17_3"
  std::string name{};    // that it was submitted under
  std::string state{};   // PENDING, RUNNING, COMPLETING, COMPLETED, TIMEOUT, NODE_FAIL, ...
  std::string reason{};  // why it waits
  std::string nodes{};   // that it runs on; may be empty

  bool operator==(const SlurmJob&) const = default;
};

// It waits or runs, or it is being ended or started: it may still do something.
bool is_active(const SlurmJob& job);
// It waits until somebody releases it.
bool is_held(const SlurmJob& job);
// The number in front: "17" of "17_3".
std::string base_id(const SlurmJob& job);

// A letter or digit, then up to 127 letters, digits, '_', '.' and '-'.
bool is_job_name(const std::string& name);
// Digits, at most 12.
bool is_job_id(const std::string& id);

// Throws environment, with the remedy, where Slurm's programs are not installed.
void require_slurm();

// Submits; the number of the job. Throws environment with sbatch's words when it says no, or when
// its answer did not come: the job may have been accepted then, so look for it by its name.
std::string submit_batch(const std::filesystem::path& script);

// This user's jobs of that name, finished ones too as long as Slurm knows them; elements of arrays
// one by one, by id. Throws environment when the controller does not answer.
std::vector<SlurmJob> jobs_named(const std::string& name);
// What `squeue` printed in the form that jobs_named asks for. Throws environment for another form.
std::vector<SlurmJob> parse_jobs(const std::string& text);

void cancel_job(const std::string& id);
// A signal ("USR2") to the batch script alone.
void signal_batch(const std::string& id, const std::string& signal);
void release_job(const std::string& id);

}  // namespace marquee::cluster
