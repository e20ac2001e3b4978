// A sweep for simulations, of any size: runs of several lengths, about a tenth of them gangs of 4.
#pragma once

#include <cstddef>
#include <filesystem>

#include "orchestrator/sweep/prepared_sweep.h"
#include "tests/orchestrator/fault_script.h"

namespace marquee::orchestrator {

// Options of a sweep of so many runs, or up to 21 fewer, that is written into this folder; its
// results go beside it.
SweepOptions simulated_sweep(const std::filesystem::path& folder, std::size_t runs,
                             int slots_per_host);

// The least time in which the sweep's runs could end without faults: the work of all slots, or the
// longest run. Sets the script's mean cost first.
double least_seconds(const SweepOptions& options, FaultScript& script, int slots);

}  // namespace marquee::orchestrator
