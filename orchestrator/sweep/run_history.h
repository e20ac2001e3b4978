// What a results folder tells about runs of the past: how each stands, and how long finished ones
// took. Read from the published database, so a sweep may run meanwhile.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "experiments/run_time_model.h"

namespace marquee::orchestrator {

// An absent results.sqlite is an empty history.

// By run id: pending, running, done, failed, cancelled.
std::map<std::string, std::string> read_statuses(const std::filesystem::path& results);

// `machine`: see experiments::machine_of.
experiments::RunTimeModel read_times(const std::filesystem::path& results,
                                     const std::string& machine);

// The machine that a result made here would name: "simulated" with no-op trainers, else device and
// processor.
std::string machine_here(bool simulate);

}  // namespace marquee::orchestrator
