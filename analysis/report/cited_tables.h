// How numbers cited from papers are shown: in tables of their own, by task and shots, never among
// results and in the order of their file, so that nothing is ranked.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "analysis/report/paired_comparison.h"
#include "analysis/report/table.h"
#include "experiments/cited_numbers.h"

namespace marquee::analysis {

// What stands above every such table.
inline constexpr const char* kCitedTitle = "Cited numbers";
inline constexpr const char* kCitedAbout =
    "Copied from the papers named, not computed here. The protocol is as its source says it; other "
    "images, networks, sample counts or splits make other numbers: they are not comparable with "
    "results, nor with each other, without care, and no mean, interval or test here counts them.";

struct CitedGroup {
  std::string title;  // "eurosat, 5 shots"
  std::vector<experiments::CitedNumber> numbers;
};

// By task in the registry's order, then by shots.
std::vector<CitedGroup> cited_groups(const std::vector<experiments::CitedNumber>& numbers);
// Generator, metric, value, protocol, citation (with its address), page, and notes where there are
// some.
Table cited_table(const CitedGroup& group);

// Those of a task, shots and metric that the sides were compared by.
std::vector<experiments::CitedNumber> cited_beside(
    const SideComparison& comparison, const std::vector<experiments::CitedNumber>& numbers);
std::vector<experiments::CitedNumber> cited_beside(
    const std::vector<SideComparison>& comparisons,
    const std::vector<experiments::CitedNumber>& numbers);

// Title, explanation and tables: "table", "markdown" or "latex"; "" without numbers.
std::string cited_text(const std::vector<experiments::CitedNumber>& numbers,
                       const std::string& format);
nlohmann::json cited_json(const std::vector<experiments::CitedNumber>& numbers);

}  // namespace marquee::analysis
