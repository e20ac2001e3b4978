#include "analysis/report/condition.h"

#include <nlohmann/json.hpp>

#include "analysis/report/query.h"
#include "cluster/error.h"

namespace marquee::analysis {
namespace {

[[noreturn]] void refuse(const std::string& condition, const std::string& why) {
  cluster::throw_usage("--where \"" + condition.substr(0, condition.find('\0')) + "\": " + why +
                       "; expected a condition over the columns of view results, such as "
                       "\"task = 'eurosat' AND seed = 0\"");
}

// Position behind the quotation that starts at `start`. A doubled quote is two quotations.
std::size_t behind_quotation(const std::string& text, std::size_t start) {
  const char close = text[start] == '[' ? ']' : text[start];
  const std::size_t end = text.find(close, start + 1);
  if (end == std::string::npos) refuse(text, "the quotation has no end");
  return end + 1;
}

}  // namespace

std::string enclosed_condition(const std::string& condition) {
  if (condition.find('\0') != std::string::npos) refuse(condition, "holds a NUL");
  if (condition.find_first_not_of(" \t\r\n") == std::string::npos) refuse(condition, "is empty");
  int depth = 0;
  for (std::size_t at = 0; at < condition.size();) {
    const char c = condition[at];
    const std::string two = condition.substr(at, 2);
    if (c == '\'' || c == '"' || c == '`' || c == '[') {
      at = behind_quotation(condition, at);
      continue;
    }
    if (two == "--" || two == "/*") refuse(condition, "holds a comment");
    if (c == ';') refuse(condition, "holds a semicolon");
    if (c == '(') ++depth;
    if (c == ')' && --depth < 0) refuse(condition, "closes a parenthesis that it did not open");
    ++at;
  }
  if (depth > 0) refuse(condition, "leaves a parenthesis open");
  return "(" + condition + ")";
}

std::vector<std::string> runs_where(const std::filesystem::path& database,
                                    const std::string& condition) {
  const std::string rows =
      query_text(database,
                 "SELECT run_id FROM results WHERE " + enclosed_condition(condition) +
                     " ORDER BY task, shots, method, seed, run_id",
                 "json");
  std::vector<std::string> runs;
  for (const auto& row : nlohmann::json::parse(rows))
    runs.push_back(row.at("run_id").get<std::string>());
  return runs;
}

}  // namespace marquee::analysis
