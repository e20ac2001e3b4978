#include "orchestrator/slurm/slurm_submit.h"

#include <algorithm>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/file_lock.h"
#include "cluster/host.h"
#include "cluster/sha256.h"
#include "cluster/suggest.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDigits = 8, kLongestLabel = 60;

const char* launcher_name(BatchJob::Launcher launcher) {
  switch (launcher) {
    case BatchJob::Launcher::mpirun:
      return "mpirun";
    case BatchJob::Launcher::srun:
      return "srun";
    case BatchJob::Launcher::array:
      return "array";
  }
  return "";
}

// Another job that has this folder, too.
void refuse_beside_others(const fs::path& results, const BatchJob& job) {
  const bool depends = std::any_of(job.options.begin(), job.options.end(),
                                   [](const auto& option) { return option.first == "dependency"; });
  if (depends) return;
  for (const SubmittedJob& other : read_jobs(results)) {
    if (other.name == job.name) continue;
    const JobStanding standing = standing_of(other, read_traces(job_folder(results, other.name)),
                                             cluster::jobs_named(other.name));
    if (is_over(standing)) continue;
    throw cluster::Error(
        cluster::ErrorKind::busy,
        "job " + cluster::join(standing.active_ids) + " (" + other.title + ") works on " +
            results.string() +
            " already; wait for it (--dependency=afterany:" + standing.active_ids.front() +
            " queues this behind it), marquee slurm cancel it, or use "
            "another --out");
  }
}

void forget_traces(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("started-") || name.starts_with("ended-") || name == "cancelled")
      fs::remove(entry.path(), error);
  }
}

// What waits or runs under the name is left to do its work, once.
std::string look_after(const JobStanding& standing) {
  std::string text = standing.active_ids.front() + " " + state_name(standing.state);
  for (std::size_t i = 1; i < standing.active_ids.size(); ++i) {
    cluster::cancel_job(standing.active_ids[i]);
    text += "; job " + standing.active_ids[i] + ", the same again, cancelled";
  }
  for (const std::string& id : standing.held_ids) {
    cluster::release_job(id);
    text += "; " + id + " released";
  }
  return text;
}

}  // namespace

std::string job_name(const fs::path& results, const std::string& label, std::string_view identity) {
  const std::string hash =
      cluster::sha256_hex(results.string() + std::string(1, '\0') + std::string(identity));
  return "marquee-" + label.substr(0, kLongestLabel) + "-" + hash.substr(0, kDigits);
}

Submission submit_once(const fs::path& results, const BatchJob& batch) {
  cluster::require_slurm();
  const fs::path folder = job_folder(results, batch.name);
  cluster::create_directories_durably(folder);
  const cluster::FileLock guard(folder / ".guard", [] {});
  Submission submission;
  SubmittedJob& job = submission.job;
  if (fs::exists(folder / "job.json")) job = read_job(results, batch.name);
  submission.standing = standing_of(job, read_traces(folder), cluster::jobs_named(batch.name));
  if (!is_over(submission.standing)) {
    job.name = batch.name;
    if (job.title.empty()) job.title = batch.title;
    if (job.launcher.empty()) job.launcher = launcher_name(batch.launcher);
    job.job_id = submission.standing.active_ids.front();
    write_job(results, job);
    submission.text = "is in the queue already: job " + look_after(submission.standing);
    return submission;
  }
  refuse_beside_others(results, batch);
  job.name = batch.name;
  job.title = batch.title;
  job.launcher = launcher_name(batch.launcher);
  job.elements = batch.launcher == BatchJob::Launcher::array ? batch.elements : 1;
  job.made = cluster::utc_now();
  job.host = cluster::host_name();
  job.job_id.clear();
  ++job.submissions;
  forget_traces(folder);
  const fs::path script = folder / "job.sh";
  cluster::write_file_durably(script, batch_script(batch));
  write_job(results, job);
  cluster::failpoint("submit.recorded");
  job.job_id = cluster::submit_batch(script);
  cluster::failpoint("submit.submitted");
  write_job(results, job);
  submission.submitted = true;
  submission.text = "submitted as job " + job.job_id;
  return submission;
}

}  // namespace marquee::orchestrator
