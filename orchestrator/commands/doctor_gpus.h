// marquee doctor --gpus: a gang over the GPUs that a person has, on one host or on many.
#pragma once

namespace marquee::orchestrator {

// A rank where mpirun or srun has started this process; else starts itself under mpirun, with a
// rank for each GPU of this host. Returns the exit code.
int doctor_gpus(bool as_json, double patience_seconds);

}  // namespace marquee::orchestrator
