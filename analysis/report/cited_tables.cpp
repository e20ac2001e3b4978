#include "analysis/report/cited_tables.h"

#include <algorithm>
#include <map>
#include <utility>

#include "analysis/report/comparison.h"

namespace marquee::analysis {
namespace {

using experiments::CitedNumber;

auto place_of(const CitedNumber& number) {
  return std::pair(place_of_task(number.task), place_of_shots(number.shots));
}

}  // namespace

std::vector<CitedGroup> cited_groups(const std::vector<CitedNumber>& numbers) {
  std::map<decltype(place_of(CitedNumber{})), CitedGroup> groups;
  for (const CitedNumber& number : numbers) {
    CitedGroup& group = groups[place_of(number)];
    group.title = number.task + ", " + shots_text(number.shots);
    group.numbers.push_back(number);
  }
  std::vector<CitedGroup> sorted;
  for (auto& [place, group] : groups) sorted.push_back(std::move(group));
  return sorted;
}

Table cited_table(const CitedGroup& group) {
  Table table{{"generator", "metric", "value", "protocol", "citation", "page"},
              {},
              {false, false, true, false, false, false}};
  const bool notes = std::any_of(group.numbers.begin(), group.numbers.end(),
                                 [](const CitedNumber& number) { return !number.note.empty(); });
  if (notes) {
    table.header.emplace_back("note");
    table.numeric.push_back(false);
  }
  for (const CitedNumber& number : group.numbers) {
    table.rows.push_back({number.generator, number.metric, number.value_text, number.protocol,
                          number.citation + (number.url.empty() ? "" : ", " + number.url),
                          number.page});
    if (notes) table.rows.back().push_back(number.note);
  }
  return table;
}

std::vector<CitedNumber> cited_beside(const SideComparison& comparison,
                                      const std::vector<CitedNumber>& numbers) {
  std::vector<CitedNumber> beside;
  for (const CitedNumber& number : numbers) {
    const bool compared =
        comparison.cells.contains({number.task, number.shots}) &&
        std::any_of(comparison.metrics.begin(), comparison.metrics.end(),
                    [&](const MetricComparison& known) { return known.metric == number.metric; });
    if (compared) beside.push_back(number);
  }
  return beside;
}

std::vector<CitedNumber> cited_beside(const std::vector<SideComparison>& comparisons,
                                      const std::vector<CitedNumber>& numbers) {
  std::vector<CitedNumber> beside;
  for (const CitedNumber& number : numbers) {
    const bool compared = std::any_of(comparisons.begin(), comparisons.end(), [&](const auto& one) {
      return !cited_beside(one, {number}).empty();
    });
    if (compared) beside.push_back(number);
  }
  return beside;
}

std::string cited_text(const std::vector<CitedNumber>& numbers, const std::string& format) {
  if (numbers.empty()) return "";
  const bool markdown = format == "markdown", latex = format == "latex";
  const std::string comment = latex ? "% " : "";
  std::string text = (markdown ? "## " : comment) + std::string(kCitedTitle) + "\n" +
                     (markdown ? "\n" : "") + comment + kCitedAbout + "\n";
  for (const CitedGroup& group : cited_groups(numbers)) {
    const Table table = cited_table(group);
    text += "\n" + (markdown ? "### " : comment) + group.title + "\n" + (markdown ? "\n" : "");
    text += markdown ? markdown_text(table) : latex ? latex_text(table) : aligned_text(table);
  }
  return text;
}

nlohmann::json cited_json(const std::vector<CitedNumber>& numbers) {
  nlohmann::json all = nlohmann::json::array();
  for (const CitedNumber& number : numbers) {
    all.push_back({{"reference", number.reference},
                   {"citation", number.citation},
                   {"url", number.url},
                   {"generator", number.generator},
                   {"task", number.task},
                   {"shots", number.shots},
                   {"metric", number.metric},
                   {"value", number.value},
                   {"protocol", number.protocol},
                   {"page", number.page},
                   {"note", number.note}});
  }
  return all;
}

}  // namespace marquee::analysis
