// A card of a run that has trained something, as Markdown: what it is, its images and numbers, how
// it was made, how it is used.
#pragma once

#include <string>

#include "analysis/report/exported_runs.h"

namespace marquee::analysis {

// `picture`: name of the grid beside the card, "" where there is none. No host, user or folder
// stands in it. Texts of any origin stay text: front matter in JSON's quotes, cells escaped.
std::string run_card(const ExportedRun& run, const std::string& picture);

}  // namespace marquee::analysis
