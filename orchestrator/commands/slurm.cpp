// marquee slurm: sweeps as jobs of a Slurm cluster.
#include "orchestrator/commands/slurm_parts.h"

namespace marquee::orchestrator {

const std::vector<Command>& slurm_commands() {
  static const std::vector<Command> parts = {
      {"submit", "put a sweep into Slurm's queue", slurm_submit},
      {"status", "the jobs of a results folder", slurm_status},
      {"cancel", "end jobs of a results folder", slurm_cancel}};
  return parts;
}

}  // namespace marquee::orchestrator
