// Starting `marquee sweep` under mpirun when it was not started by it.
#pragma once

#include <string>
#include <vector>

namespace marquee::orchestrator {

// This process is a rank that mpirun or srun started (OMPI_COMM_WORLD_SIZE or PMIX_RANK is set).
bool started_by_mpi();

// The rank as the launcher's environment tells it, before MPI_Init; 0 when not started by one.
int rank_from_environment();

// "mpirun --oversubscribe -n <workers + 1> <program> <arguments>", as root with
// --allow-run-as-root.
std::vector<std::string> mpirun_command(const std::string& program,
                                        const std::vector<std::string>& arguments, int workers,
                                        bool as_root);

// Runs `command`, passes SIGTERM and SIGINT on as the signals that mpirun forwards to its ranks
// (see stop_signal.h), and returns its exit code. mpirun dies with this process. Throws
// environment when the command is not found, was killed by a signal, or has had children and then
// none for `patience_seconds` without ending: it is killed.
int run_mpirun(const std::vector<std::string>& command, double patience_seconds = 10);

}  // namespace marquee::orchestrator
