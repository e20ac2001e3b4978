#include "orchestrator/slurm/slurm_options.h"

#include <algorithm>

#include <unistd.h>

#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/option_words.h"
#include "cluster/text.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr int kMost = 100'000, kLongestLead = 86'400;

// Options of ours that are options of sbatch.
constexpr const char* kPassedOn[] = {"partition",  "account",  "qos",     "time",      "mem",
                                     "constraint", "nodelist", "exclude", "dependency"};

int number(const po::variables_map& values, const char* name, int least, int most = kMost) {
  const int value = values[name].as<int>();
  if (value < least || value > most) {
    cluster::throw_usage(std::string("--") + name + " must lie in " + std::to_string(least) + ".." +
                         std::to_string(most) + ", not " + std::to_string(value));
  }
  return value;
}

std::string text(const po::variables_map& values, const char* name) {
  return values[name].as<std::string>();
}

// A file that must be there when the job starts, as its whole path.
fs::path existing(const po::variables_map& values, const char* name) {
  const std::string named = text(values, name);
  if (named.empty()) return {};
  if (!fs::exists(named))
    cluster::throw_environment("--" + std::string(name) + ": no file " + cluster::printable(named));
  return fs::canonical(named);
}

// "--reservation=x" or "--exclusive".
std::pair<std::string, std::string> sbatch_option(const std::string& word) {
  if (!word.starts_with("--"))
    cluster::throw_usage("--sbatch is '" + cluster::printable(word) +
                         "'; expected a long option of sbatch, as --sbatch=--reservation=week");
  const std::size_t equals = word.find('=');
  std::pair<std::string, std::string> option{word.substr(2, equals - 2), ""};
  if (equals != std::string::npos) option.second = word.substr(equals + 1);
  const std::vector<std::string> ours{"job-name",        "output",     "open-mode",     "array",
                                      "nodes",           "ntasks",     "signal",        "requeue",
                                      "ntasks-per-node", "no-requeue", "cpus-per-task", "wrap"};
  if (std::find(ours.begin(), ours.end(), option.first) != ours.end())
    cluster::throw_usage("--sbatch --" + option.first +
                         ": marquee sets it itself; see marquee slurm submit --help");
  return option;
}

BatchJob::Launcher launcher_of(const po::variables_map& values) {
  const std::string named = text(values, "launcher");
  if (values["array"].as<int>() != 0) {
    if (!values["launcher"].defaulted())
      cluster::throw_usage("--array starts workers without MPI; --launcher does not belong to it");
    return BatchJob::Launcher::array;
  }
  return named == "srun" ? BatchJob::Launcher::srun : BatchJob::Launcher::mpirun;
}

}  // namespace

void add_slurm_options(po::options_description& options) {
  const BatchJob plain;
  options.add_options()                                                           //
      ("nodes,N", po::value<int>()->default_value(1), "nodes of the allocation")  //
      ("slots-per-node", po::value<int>()->default_value(0),
       "trainers on each node (default: its GPUs, else 1)")  //
      ("gpus-per-node,G", po::value<std::string>()->default_value(""),
       "GPUs on each node, a slot each: 4, or a100:4")  //
      ("cpus-per-slot", po::value<int>()->default_value(0),
       "cores of each slot (default: the threads of a trainer)")  //
      ("array", po::value<int>()->default_value(0),
       "instead of one allocation, a job array of so many elements with a slot each: workers that "
       "share the runs through files, without MPI (marquee work)")  //
      ("at-once", po::value<int>()->default_value(0),
       "elements of the array that may run at a time (default: all)")  //
      ("launcher", cluster::one_of({"mpirun", "srun"})->default_value("mpirun"),
       "of the ranks; srun: srun --mpi=pmix")                                       //
      ("partition,p", po::value<std::string>()->default_value(""), "as of sbatch")  //
      ("account,A", po::value<std::string>()->default_value(""), "as of sbatch")    //
      ("qos", po::value<std::string>()->default_value(""), "as of sbatch")          //
      ("time,t", po::value<std::string>()->default_value(""), "as of sbatch")       //
      ("mem", po::value<std::string>()->default_value(""), "as of sbatch")          //
      ("constraint", po::value<std::string>()->default_value(""), "as of sbatch")   //
      ("nodelist", po::value<std::string>()->default_value(""), "as of sbatch")     //
      ("exclude", po::value<std::string>()->default_value(""), "as of sbatch")      //
      ("dependency", po::value<std::string>()->default_value(""), "as of sbatch")   //
      ("sbatch", po::value<std::vector<std::string>>()->default_value({}, "")->composing(),
       "another option for sbatch, as --sbatch=--reservation=week; may be repeated")  //
      ("lead", po::value<int>()->default_value(plain.lead_seconds),
       "seconds before the end of its time at which checkpoints are written")  //
      ("max-requeues", po::value<int>()->default_value(plain.most_requeues),
       "how often the job may put itself back into the queue")  //
      ("module", po::value<std::vector<std::string>>()->default_value({}, "")->composing(),
       "environment module to load first; may be repeated")  //
      ("setup", po::value<std::string>()->default_value(""),
       "shell file that the script reads first (spack load, export, ...)")  //
      ("container", po::value<std::string>()->default_value(""),
       "Apptainer image that marquee runs in (docs/cluster.md)");
}

BatchJob batch_job_from(const po::variables_map& values, int threads) {
  BatchJob job;
  job.launcher = launcher_of(values);
  job.gpus_per_node = text(values, "gpus-per-node");
  const int gpus = gpus_in(job.gpus_per_node);
  job.nodes = number(values, "nodes", 1);
  job.slots_per_node = number(values, "slots-per-node", 0);
  if (job.slots_per_node == 0) job.slots_per_node = std::max(1, gpus);
  if (gpus > 0 && job.slots_per_node > gpus)
    cluster::throw_usage("--slots-per-node " + std::to_string(job.slots_per_node) +
                         " is more than the GPUs of a node (--gpus-per-node " + job.gpus_per_node +
                         "): a slot is a GPU");
  job.cpus_per_slot = number(values, "cpus-per-slot", 0);
  if (job.cpus_per_slot == 0) job.cpus_per_slot = threads;
  job.elements = std::max(1, number(values, "array", 0));
  job.at_once = number(values, "at-once", 0);
  if (job.launcher == BatchJob::Launcher::array) {
    if (!values["nodes"].defaulted() || !values["slots-per-node"].defaulted() || gpus > 1)
      cluster::throw_usage(
          "an element of an array is one slot on one node: --nodes and "
          "--slots-per-node do not belong to --array, nor more than one GPU");
  } else if (job.at_once > 0) {
    cluster::throw_usage("--at-once belongs to --array");
  }
  for (const char* name : kPassedOn)
    if (!text(values, name).empty()) job.options.emplace_back(name, text(values, name));
  for (const std::string& word : values["sbatch"].as<std::vector<std::string>>())
    job.options.push_back(sbatch_option(word));
  job.lead_seconds = number(values, "lead", 1, kLongestLead);
  job.most_requeues = number(values, "max-requeues", 0);
  job.as_root = geteuid() == 0;
  job.modules = values["module"].as<std::vector<std::string>>();
  job.setup = existing(values, "setup");
  job.container = existing(values, "container");
  if (job.container.empty()) job.program = cluster::executable_path().string();
  return job;
}

}  // namespace marquee::orchestrator
