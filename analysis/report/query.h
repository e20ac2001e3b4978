// SQL over a published results.sqlite, for people: read-only, bounded, as text.
#pragma once

#include <filesystem>
#include <string>

namespace marquee::analysis {

// Result of one SELECT as "table" (aligned, numbers to six digits), "csv" (RFC 4180) or "json" (an
// array of objects); csv and json hold every digit, NULL is empty or null. Throws usage for an
// unknown format, for SQL that does not parse (with SQLite's words), that is more than one
// statement or that writes, and for more than a million rows; environment for a file that is no
// database.
std::string query_text(const std::filesystem::path& database, const std::string& sql,
                       const std::string& format);

}  // namespace marquee::analysis
