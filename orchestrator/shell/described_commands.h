// Every command of marquee as it describes itself, for completion and the manual.
#pragma once

#include "cluster/command_facts.h"

namespace marquee::orchestrator {

// Those of marquee-trainer are asked of it; where it is not there, or does not answer, they have no
// options, and a warning says why where it is there.
cluster::CommandFacts describe_commands();

}  // namespace marquee::orchestrator
