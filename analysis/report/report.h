// The report of a results folder: report/index.html, a page that stands alone with its pictures,
// and report/table.md.
#pragma once

#include <filesystem>
#include <vector>

#include "experiments/cited_numbers.h"

namespace marquee::analysis {

// Reads <results>/results.sqlite and the finished attempts' samples.png and curves.json; pictures
// are copied as they are, nothing is decoded. An attempt without them (yet) is shown without.
// `cited` stands in a section of its own and in no other table.
// Returns the files to open: index.html and table.md. Throws environment where the database is
// damaged or the folder cannot be written.
std::vector<std::filesystem::path> write_report(
    const std::filesystem::path& results, const std::vector<experiments::CitedNumber>& cited = {});

}  // namespace marquee::analysis
