#include "orchestrator/shell/version_text.h"

#include <sqlite3.h>

#include "cluster/build_info.h"
#include "cluster/error.h"
#include "cluster/mpi_session.h"
#include "cluster/program_output.h"
#include "cluster/text.h"
#include "orchestrator/sweep/trainer_process.h"

namespace marquee::orchestrator {
namespace {

constexpr double kPatienceSeconds = 60;  // LibTorch from a slow disk

std::string trainer_text() {
  try {
    const std::string program = find_trainer().string();
    const cluster::ProgramOutput answer =
        cluster::run_program({program, "--version"}, kPatienceSeconds);
    if (!answer.took_too_long && answer.status.exit_code == 0)
      return cluster::printable(answer.out, true);
    return "trainer   " + cluster::printable(program) +
           " does not start: " + cluster::printable(answer.err.substr(0, 500), true) + "\n";
  } catch (const cluster::Error& error) {
    return std::string("trainer   none: ") + cluster::printable(error.what()) + "\n";
  }
}

}  // namespace

std::string version_text() {
  return cluster::build_text("marquee") + "sqlite    " + sqlite3_libversion() + "\n" +
         "mpi       " + cluster::mpi_library_version() + "\n\n" + trainer_text();
}

}  // namespace marquee::orchestrator
