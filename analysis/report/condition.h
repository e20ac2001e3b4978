// A person's SQL condition over the view `results` (`--where`), checked so that it stays one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace marquee::analysis {

// `condition` in parentheses of ours that it cannot leave. Throws usage for one that is empty,
// holds a comment, a semicolon or NUL, ends inside a quotation, or whose parentheses do not match.
std::string enclosed_condition(const std::string& condition);

// Ids of the runs whose row of the view `results` fulfils the condition, in the order of task,
// shots, method and seed. Throws as above, and as query_text.
std::vector<std::string> runs_where(const std::filesystem::path& database,
                                    const std::string& condition);

}  // namespace marquee::analysis
