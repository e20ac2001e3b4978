// The whole results database as CSV files.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace marquee::analysis {

// <folder>/<table or view>.csv for each that the database has (csv as in query_text), and
// curves.csv (run_id, attempt, step, loss) of every finished run. Returns the files' names. Damaged
// curves are left out and told. Throws environment for a damaged database.
std::vector<std::string> export_tables(const std::filesystem::path& results,
                                       const std::filesystem::path& folder,
                                       std::vector<std::string>& left_out);

}  // namespace marquee::analysis
