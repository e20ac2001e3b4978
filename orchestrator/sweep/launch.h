// Starting commands that want ranks (`sweep`, `doctor --gpus`) under mpirun when they were not
// started by it.
#pragma once

#include <string>
#include <vector>

namespace marquee::orchestrator {

// This process is a rank that mpirun or srun started (OMPI_COMM_WORLD_SIZE or PMIX_RANK is set).
bool started_by_mpi();

// The rank as the launcher's environment tells it, before MPI_Init; 0 when not started by one.
int rank_from_environment();

// mpirun and the options that it always gets, here and in batch scripts; root has to say so.
std::vector<std::string> mpirun_words(bool as_root);

// mpirun_words, "-n <workers + 1> <program> <arguments>".
std::vector<std::string> mpirun_command(const std::string& program,
                                        const std::vector<std::string>& arguments, int workers,
                                        bool as_root);

// Runs `command`, passes SIGTERM and SIGINT on as the signals that mpirun forwards to its ranks
// (see stop_signal.h), and returns its exit code. mpirun dies with this process. Throws
// environment when the command is not found, was killed by a signal, or has had children and then
// none for `patience_seconds` without ending: it is killed.
int run_mpirun(const std::vector<std::string>& command, double patience_seconds = 10);

// This program with `arguments` as `workers` + 1 ranks; as run_mpirun.
int run_under_mpirun(const std::vector<std::string>& arguments, int workers);

}  // namespace marquee::orchestrator
