#include "orchestrator/commands/doctor_gpus.h"

#include <iostream>

#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "cluster/gpu_list.h"
#include "cluster/mpi_session.h"
#include "orchestrator/gangs/gang_check.h"
#include "orchestrator/sweep/launch.h"

namespace marquee::orchestrator {
namespace {

constexpr int kFailed = static_cast<int>(cluster::ErrorKind::environment);

int start_under_mpirun(bool as_json, double patience_seconds) {
  const int gpus = static_cast<int>(cluster::visible_gpus().size());
  if (gpus < 1) {
    cluster::throw_environment(
        "no GPU on this host: the NVIDIA driver shows none in /proc/driver/nvidia/gpus, or "
        "CUDA_VISIBLE_DEVICES names none of them. On a cluster start a rank for each GPU: mpirun "
        "-n N marquee doctor --gpus");
  }
  std::vector<std::string> arguments{"doctor", "--gpus", "--patience",
                                     std::to_string(patience_seconds)};
  if (as_json) arguments.emplace_back("--json");
  return run_under_mpirun(arguments, gpus - 1);
}

int be_rank(bool as_json, double patience_seconds) {
  int argc = 0;
  char** argv = nullptr;
  cluster::MpiSession session(argc, argv);
  GangCheck check;
  try {
    check = check_gang(session, patience_seconds);
  } catch (const std::exception& error) {
    std::cerr << "marquee: error: " << error.what() << std::endl;
    session.abort(cluster::exit_code_of(error));
  }
  const bool ok = check.problems.empty();
  if (session.rank() == 0) {
    if (as_json) {
      std::cout << nlohmann::json{{"ok", ok},
                                  {"members", check.members},
                                  {"problems", check.problems},
                                  {"left_out", check.left_out},
                                  {"environment", nccl_environment_text()}}
                       .dump(2)
                << std::endl;
    } else {
      std::cout << (ok ? "ok    " : "FAIL  ") << "gang of " << check.members.size() << "\n"
                << gang_check_text(check) << "  " << nccl_environment_text() << std::endl;
    }
  }
  session.finalize();
  // The other ranks end well: the first that fails makes mpirun kill the one that speaks.
  return session.rank() != 0 || ok ? 0 : kFailed;
}

}  // namespace

int doctor_gpus(bool as_json, double patience_seconds) {
  return started_by_mpi() ? be_rank(as_json, patience_seconds)
                          : start_under_mpirun(as_json, patience_seconds);
}

}  // namespace marquee::orchestrator
