// Whether the slots of a sweep can take all its runs. Pure; thread safe.
#pragma once

#include <vector>

#include "experiments/run_config.h"
#include "orchestrator/scheduling/slot_pool.h"

namespace marquee::orchestrator {

// Throws usage naming the first run that no slot can ever take, what it asks for, and what there
// is.
void check_placeable(const std::vector<experiments::RunConfig>& runs, const SlotPool& slots);

}  // namespace marquee::orchestrator
