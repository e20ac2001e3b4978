// Ablations as tables, charts and a page of their own.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "analysis/report/ablation.h"
#include "analysis/report/table.h"

namespace marquee::analysis {

// A task and shots where a factor's default was run, and another variant of it.
using AblationPlace = std::pair<std::string, std::string>;
std::vector<AblationPlace> places_of(const AblationFactor& factor);
std::string place_text(const AblationPlace& place);  // "eurosat, 5 shots"

// A row for each variant at a place.
Table factor_table(const AblationFactor& factor, const AblationPlace& place);
// Of the marquee header: what it changes against the same without it, and whether it keeps its
// promise (recall or coverage up at a fid_mini no more than 5 % worse).
Table header_table(const AblationFactor& factor);
// fid_mini, or fid where that was measured, of each variant at each place.
std::string ablation_chart(const AblationFactor& factor, bool in_page);

// Writes `folder`/README.md (tables and what they say), charts as SVG and sample grids of the
// marquee header. Returns what was written, README.md first. Throws environment where the database
// is damaged or the folder cannot be written, usage where no two variants differ in one factor.
std::vector<std::filesystem::path> write_ablations(const std::filesystem::path& results,
                                                   const std::string& sweep,
                                                   const std::filesystem::path& folder);

}  // namespace marquee::analysis
