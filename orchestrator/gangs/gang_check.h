// `marquee doctor --gpus` under mpirun: every rank starts one trainer on one GPU of its host, the
// trainers form a gang and exchange (marquee-trainer check-gang), and rank 0 tells what came of it.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cluster/transport.h"

namespace marquee::orchestrator {

struct GangCheck {
  // What each trainer said (its device, host, times and bandwidth), by rank in the gang.
  std::vector<nlohmann::json> members;
  std::vector<std::string> problems;  // of ranks that failed; empty: all is well
  int left_out = 0;                   // ranks beyond the largest power of two
};

// Collective, but a rank that dies or says nothing for `patience_seconds` is a problem and not a
// wait. The result counts on rank 0. The largest power of two of the ranks forms the gang.
GangCheck check_gang(cluster::Transport& session, double patience_seconds);

// The table that a person reads: sizes, times and bandwidth.
std::string gang_check_text(const GangCheck& check);

// Variables NCCL_* of this environment, network interfaces with an address of this host, and how
// long ranks are waited for (NcclWaiting and the pace of tuning in workers/), one line.
std::string nccl_environment_text();

}  // namespace marquee::orchestrator
