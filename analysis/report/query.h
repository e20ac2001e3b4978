// SQL over a published results.sqlite, for people: read-only, bounded, as text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace marquee::analysis {

// A query that reaches one of these is refused as a whole, with words that name the limit.
struct QueryLimits {
  double seconds = 30;
  std::size_t rows = 1'000'000;
  std::size_t result_bytes = std::size_t{256} << 20;    // of the text made of the rows
  std::int64_t memory_bytes = std::int64_t{512} << 20;  // of SQLite
};

// table, csv, json, markdown, latex.
const std::vector<std::string>& query_formats();

enum class EmptyColumns { keep, leave_out };

// Result of one SELECT as "table" (aligned), "markdown", "latex" (a booktabs tabular), "csv" (RFC
// 4180) or "json" (an array of objects). csv and json hold every digit, the others six; NULL is
// empty or null. Whatever texts hold, it stays text: control characters are written as \x1b, cells
// are escaped as the format asks, and a text that a spreadsheet would take for a formula gets a '
// in front (csv). `columns`: whether those without any value are left out of the first three, which
// then name them. Throws usage for an unknown format, for SQL that does not parse (with SQLite's
// words), that is more than one statement or does anything but read, and for a limit that was
// reached; environment for a file that is no results database or damaged.
std::string query_text(const std::filesystem::path& database, const std::string& sql,
                       const std::string& format, const QueryLimits& limits = {},
                       EmptyColumns columns = EmptyColumns::keep);

// The same for programs: an array with an object for each row.
nlohmann::json query_rows(const std::filesystem::path& database, const std::string& sql,
                          const QueryLimits& limits = {});

// Ids of the runs of the view `results` for which `condition` (what stands behind WHERE) is true,
// sorted. Throws usage for text that is not one condition: comments, `;`, unbalanced parentheses or
// quotes, a SELECT outside parentheses, parameters, unknown columns; otherwise as query_text.
std::vector<std::string> run_ids_where(const std::filesystem::path& database,
                                       const std::string& condition,
                                       const QueryLimits& limits = {});

}  // namespace marquee::analysis
