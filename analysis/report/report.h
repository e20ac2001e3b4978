// The report of a results folder: report/index.html, a page that stands alone (no network, opens
// from disk), its tables as report/table.md and report/table.tex, and report/images/ for the
// pictures that the page only links.
#pragma once

#include <filesystem>
#include <vector>

#include "experiments/cited_numbers.h"

namespace marquee::analysis {

struct ReportOptions {
  // In a section of their own and in no other table.
  std::vector<experiments::CitedNumber> cited{};
  bool hosts = false;       // hosts, users and folders too (private_text.h)
  int refresh_seconds = 0;  // above 0: a live page, which loads itself again so often
};

// Reads <results>/results.sqlite and, of finished attempts, pictures and curves.json; nothing is
// decoded. An attempt without them (yet) is shown without. Returns what was written, index.html
// first. Throws environment where the database is damaged or the folder cannot be written.
std::vector<std::filesystem::path> write_report(const std::filesystem::path& results,
                                                const ReportOptions& options = {});

}  // namespace marquee::analysis
