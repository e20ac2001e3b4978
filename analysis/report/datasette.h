// What Datasette shows beside the tables of results.sqlite: titles, what views and columns hold
// (with units), the stored questions.
#pragma once

#include <filesystem>
#include <string>

namespace marquee::analysis {

inline constexpr const char* kDatasetteFile = "datasette.json";

// JSON for `datasette results.sqlite --metadata datasette.json`.
std::string datasette_metadata();

// Writes it into a results folder, unless the same stands there. Throws environment where it
// cannot be written.
void write_datasette_metadata(const std::filesystem::path& results);

}  // namespace marquee::analysis
