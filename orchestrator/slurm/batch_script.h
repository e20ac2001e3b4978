// The batch script that Slurm runs for a sweep: a readable text that works without marquee's help
// (`sbatch job.sh`). All names, paths and words are quoted; nothing of a sweep file reaches a shell
// as anything but text. Pure; thread safe.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace marquee::orchestrator {

struct BatchJob {
  enum class Launcher {
    mpirun,  // one allocation, mpirun in it
    srun,    // one allocation, srun --mpi=pmix in it
    array,   // elements that share the sweep through files, without MPI
  };
  std::string name;              // cluster::is_job_name
  std::string title;             // what it computes, in one line
  std::filesystem::path folder;  // where it tells how it stands; absolute
  Launcher launcher = Launcher::mpirun;
  int nodes = 1, slots_per_node = 1, cpus_per_slot = 1;
  std::string gpus_per_node{};    // "4", "a100:4"; "": none
  int elements = 1, at_once = 0;  // of an array; 0: as many as there are
  // Options of sbatch by their long names, "partition" and "gpu"; "" for those without a value.
  std::vector<std::pair<std::string, std::string>> options{};
  int lead_seconds = 120;  // USR2 comes so long before the end
  int most_requeues = 100;
  bool as_root = false;  // mpirun has to be told
  std::vector<std::string> modules{};
  std::filesystem::path setup{};      // sourced first; empty: none
  std::filesystem::path container{};  // Apptainer image in which marquee runs; empty: none
  std::string program = "marquee";
  std::vector<std::string> arguments{};  // of marquee
};

// Throws usage naming the value for what sbatch or a shell would read as something else.
std::string batch_script(const BatchJob& job);

// GPUs of "4" or "a100:4"; 0 for "". Throws usage.
int gpus_in(const std::string& gpus_per_node);

}  // namespace marquee::orchestrator
