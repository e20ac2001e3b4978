// What Datasette shows beside the tables of results.sqlite: titles, what views and columns hold
// (with units), the stored questions.
#pragma once

#include <filesystem>

namespace marquee::analysis {

inline constexpr const char* kDatasetteFile = "datasette.json";

// Writes it for `datasette results.sqlite --metadata datasette.json` into a results folder, unless
// the same stands there. Throws environment where it cannot be written.
void write_datasette_metadata(const std::filesystem::path& results);

}  // namespace marquee::analysis
