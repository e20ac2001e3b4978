#include "orchestrator/slurm/batch_script.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "cluster/build_info.h"
#include "cluster/error.h"
#include "cluster/number_list.h"
#include "cluster/shell_quote.h"
#include "cluster/slurm.h"
#include "cluster/text.h"
#include "orchestrator/sweep/launch.h"

namespace marquee::orchestrator {
namespace {

constexpr int kMostGpus = 1024;
constexpr std::size_t kLongestValue = 1000;

// The part that is the same for every job. Exit codes: 124 out of time, 143 stopped on request, 75
// another coordinator holds the folder; what is left of a sweep then is computed by the next start.
constexpr const char* kSupervision = R"sh(
restarts=${SLURM_RESTART_COUNT:-0}
this_start=$SLURM_JOB_ID-$restarts
hostname > "$folder/started-$this_start"

# When the time is over, which Slurm tells by itself from 23.02 on. Nothing starts that cannot reach
# a checkpoint by then. A controller that has forgotten this job may have given its number away.
if [ -z "${SLURM_JOB_END_TIME:-}" ]; then
  end=$(scontrol show job -o "$SLURM_JOB_ID" | grep -F " JobName=$SLURM_JOB_NAME " |
    sed -n 's/.* EndTime=\([^ ]*\) .*/\1/p')
  SLURM_JOB_END_TIME=$(date -d "$end" +%s 2> /dev/null || echo 0)
  export SLURM_JOB_END_TIME
fi

# Puts this job back into the queue, unless it was cancelled, has been put back too often, or Slurm
# has done so itself and another start of it waits or lives already.
requeue() {
  if [ -e "$folder/cancelled" ]; then return; fi
  if [ "$restarts" -ge "$most_requeues" ]; then
    echo "marquee: queued again $restarts times already; not again" >&2
    return
  fi
  case " $(scontrol show job -o "$SLURM_JOB_ID") " in
    *" JobState=RUNNING "*" Restarts=$restarts "*) scontrol requeue "$SLURM_JOB_ID" ;;
  esac
}

# USR2 comes $lead seconds before the time is over, TERM when Slurm takes the nodes away. marquee
# writes checkpoints on USR1. If that takes too long, the next start goes on from the checkpoint
# before: shortly before the end the job is put back into the queue in any case.
child=
timer=
stop() { if [ -n "$child" ]; then kill -USR1 "$child"; fi; }
on_usr2() {
  stop
  (sleep "$((lead > 30 ? lead - 15 : lead / 2))"; requeue) &
  timer=$!
}
trap on_usr2 USR2
trap stop TERM

# A launcher or a coordinator that is killed starts again here; what was finished stays.
for try in 1 2 3 4 5; do
  "${command[@]}" < /dev/null &
  child=$!
  while wait "$child"; kill -0 "$child" 2> /dev/null; do :; done  # a signal ends wait early
  wait "$child"
  code=$?
  case $code in
    0 | 1 | 2 | 3 | 4 | 75 | 124 | 130 | 143) break ;;
  esac
  echo "marquee: ended with $code (start $try of 5)" >&2
done

if [ -n "$timer" ]; then kill "$timer"; fi
echo "$code" > "$folder/ended-$this_start"
case $code in
  124 | 143) requeue ;;
  75) if [ "$restarts" -gt 0 ]; then requeue; fi ;;
esac
exit "$code"
)sh";

// A value of an #SBATCH line, which sbatch splits at spaces, and in which quotes and '#' count.
std::string directive_value(const std::string& option, const std::string& value) {
  const bool plain = std::all_of(value.begin(), value.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string("_-./:,+@%=[]*&|()!").find(static_cast<char>(c)) != std::string::npos;
  });
  if (value.empty() || value.size() > kLongestValue || !plain) {
    cluster::throw_usage("--" + option + " is '" + cluster::printable(value) +
                         "'; expected at most 1000 letters, digits and _-./:,+@%=[]*&|()! for "
                         "sbatch");
  }
  return value;
}

// The output file: sbatch gives '%' and '\' a meaning, and takes spaces in quotes.
std::string output_directive(const std::filesystem::path& folder) {
  const std::string path = folder.string();
  if (path.find_first_of("%\\\"") != std::string::npos || cluster::control_character(path) ||
      cluster::invalid_utf8(path)) {
    cluster::throw_usage("results folder '" + cluster::printable(path) +
                         "': sbatch cannot write its log below a folder with %, \\, \" or control "
                         "characters in its name; use another --out");
  }
  return "#SBATCH --output=\"" + path + "/log-%j.txt\"\n";
}

std::string directive(const std::string& option, const std::string& value) {
  return "#SBATCH --" + option + (value.empty() ? "" : "=" + directive_value(option, value)) + "\n";
}

bool is_option_name(const std::string& name) {
  return !name.empty() && std::islower(static_cast<unsigned char>(name[0])) != 0 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '-';
         });
}

std::string directives(const BatchJob& job) {
  const auto number = [](int value) { return std::to_string(value); };
  std::string text = directive("job-name", job.name) + output_directive(job.folder) +
                     directive("open-mode", "append");
  if (job.launcher == BatchJob::Launcher::array) {
    text += directive(
        "array", "1-" + number(job.elements) + (job.at_once > 0 ? "%" + number(job.at_once) : ""));
  }
  text += directive("nodes", number(job.nodes)) +
          directive("ntasks-per-node", number(job.slots_per_node)) +
          directive("cpus-per-task", number(job.cpus_per_slot));
  if (!job.gpus_per_node.empty()) text += directive("gres", "gpu:" + job.gpus_per_node);
  text += directive("signal", "B:USR2@" + number(job.lead_seconds)) + directive("requeue", "");
  for (const auto& [option, value] : job.options) {
    if (!is_option_name(option))
      cluster::throw_usage("'--" + cluster::printable(option) + "' is no option of sbatch");
    text += directive(option, value);
  }
  return text;
}

std::string launcher_text(const BatchJob& job) {
  if (job.launcher == BatchJob::Launcher::array) return "";
  const std::string ranks =
      fmt::format("\"$((SLURM_JOB_NUM_NODES * {} + 1))\"", job.slots_per_node);
  const std::string why = fmt::format(
      "# A coordinator, which needs no slot, and {} agent{} on each node, which bind "
      "their trainers to\n# cores and GPUs themselves.\n",
      job.slots_per_node, job.slots_per_node == 1 ? "" : "s");
  if (job.launcher == BatchJob::Launcher::srun) {
    return why +
           "launcher=(srun --mpi=pmix --overcommit --cpu-bind=none --kill-on-bad-exit=1 --ntasks=" +
           ranks + ")\n";
  }
  // When Slurm ends mpirun, its ranks have a few seconds to write checkpoints, not one; twice as
  // long passes before mpirun ends after a rank that has failed, so there are not more.
  return why + fmt::format(
                   "launcher=({} --bind-to none\n"
                   "          --mca odls_base_sigkill_timeout 5 -n {})\n",
                   cluster::shell_words(mpirun_words(job.as_root)), ranks);
}

std::string commented(const std::string& text) {
  return "# " + cluster::printable(text) + "\n";
}

}  // namespace

int gpus_in(const std::string& gpus_per_node) {
  if (gpus_per_node.empty()) return 0;
  const std::size_t colon = gpus_per_node.rfind(':');
  const std::string digits =
      colon == std::string::npos ? gpus_per_node : gpus_per_node.substr(colon + 1);
  const auto count = cluster::parse_number(digits, kMostGpus + 1);
  if (!count || *count < 1)
    cluster::throw_usage("--gpus-per-node is '" + cluster::printable(gpus_per_node) +
                         "'; expected a number of GPUs, as 4 or a100:4");
  directive_value("gpus-per-node", gpus_per_node);
  return static_cast<int>(*count);
}

std::string batch_script(const BatchJob& job) {
  MARQUEE_CHECK(cluster::is_job_name(job.name), "a job's name");
  const std::string folder = cluster::shell_quote(job.folder.string());
  std::string text = "#!/bin/bash -l\n" + commented(job.title) +
                     commented(fmt::format("Written by marquee {} ({}); marquee slurm status and "
                                           "cancel know it by its name.",
                                           cluster::build_version(), cluster::build_commit())) +
                     directives(job) + "\n";
  text += "folder=" + folder + "\n";
  text += fmt::format("lead={}\nmost_requeues={}\n\n", job.lead_seconds, job.most_requeues);
  for (const std::string& module : job.modules)
    text += "module load " + cluster::shell_quote(directive_value("module", module)) + "\n";
  if (!job.setup.empty()) text += ". " + cluster::shell_quote(job.setup.string()) + "\n";
  if (!job.modules.empty() || !job.setup.empty()) text += "\n";
  text += launcher_text(job);
  std::vector<std::string> marquee;
  if (!job.container.empty()) {
    marquee = {"apptainer", "exec"};
    if (!job.gpus_per_node.empty()) marquee.emplace_back("--nv");
    marquee.push_back(job.container.string());
  }
  marquee.push_back(job.program);
  text += "marquee=(" + cluster::shell_words(marquee) + ")\n";
  text += "arguments=(" + cluster::shell_words(job.arguments) + ")\n";
  text += job.launcher == BatchJob::Launcher::array
              ? "command=(\"${marquee[@]}\" \"${arguments[@]}\")\n"
              : "command=(\"${launcher[@]}\" \"${marquee[@]}\" \"${arguments[@]}\")\n";
  return text + kSupervision;
}

}  // namespace marquee::orchestrator
