// How far a results folder is, as last published in its results.sqlite.
#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

namespace marquee::orchestrator {

// {"sweeps", "coordinator", "slots", "stuck", "workers", "excluded_hosts", "failures"}: what
// `marquee status --json` prints. Throws environment where the database is damaged.
nlohmann::json status_of(const std::filesystem::path& database);

// Whether a coordinator runs, or workers have claimed runs.
bool is_worked_on(const nlohmann::json& status);

}  // namespace marquee::orchestrator
