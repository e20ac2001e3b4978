// marquee slurm: sweeps as jobs of a Slurm cluster.
#include "orchestrator/commands/slurm_parts.h"

namespace marquee::orchestrator {

int slurm_command(const Arguments& arguments) {
  static const std::vector<Command> parts = {
      {"submit", "put a sweep into Slurm's queue", slurm_submit},
      {"status", "the jobs of a results folder", slurm_status},
      {"cancel", "end jobs of a results folder", slurm_cancel}};
  return dispatch_part("slurm", parts, arguments);
}

}  // namespace marquee::orchestrator
