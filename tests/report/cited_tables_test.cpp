// Numbers of papers stand beside results, in every format, and change none of them.
#include "analysis/report/cited_tables.h"

#include <sstream>

#include <gmock/gmock.h>

#include "analysis/report/query.h"
#include "analysis/report/report.h"
#include "cluster/durable_file.h"
#include "cluster/text.h"
#include "tests/report/finished_runs.h"

namespace marquee::analysis {
namespace {

using experiments::CitedNumber;
using testing::HasSubstr;
using testing::Not;

CitedNumber cited(const std::string& task = "eurosat", const std::string& shots = "5",
                  const std::string& metric = "fid_mini") {
  CitedNumber number;
  number.reference = "author2024";
  number.citation = "A. Author, A Paper, 2024";
  number.url = "https://example.org/p?a=1&b=2";
  number.generator = "A-GAN";
  number.task = task;
  number.shots = shots;
  number.metric = metric;
  number.value = 0.5;  // less than any here
  number.value_text = "0.50";
  number.protocol = "10k samples";
  number.page = "p. 7";
  return number;
}

CitedNumber hostile() {
  CitedNumber number = cited();
  number.generator = "<script>alert('g')</script>";
  number.protocol = "=cmd()|'/c calc'!A1 | x";
  number.citation = "\\write18{rm} $x_1$ & 100% \"><img src=x>";
  number.page = "`[a](javascript:alert(1))`";
  number.note = "\x1b[31mred\nline";  // the reader refuses these: tables would hold all the same
  return number;
}

class CitedTables : public FinishedRuns {
 protected:
  CitedTables() {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      const auto more = static_cast<double>(seed);
      finish(run_of("eurosat", "none", seed), {metric_of("fid_mini", 20)});
      finish(run_of("eurosat", "prompt", seed), {metric_of("fid_mini", 18 - more)});
    }
    ledger_.publish();
  }
  std::string written(const std::string& name, const std::vector<CitedNumber>& numbers) {
    write_report(folder_.path(), {numbers});
    return cluster::read_file(folder_.path() / "report" / name, 1 << 20);
  }
  std::vector<SideComparison> compared() {
    CompareOptions options;
    options.results = file();
    return compare_sides({"none", "prompt"}, options);
  }
};

// What is left of `text` when the piece from `begin` up to `end` is cut out.
std::string without(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t first = text.find(begin);
  if (first == std::string::npos) return "no " + begin;
  const std::size_t last = end.empty() ? text.size() : text.find(end, first);
  if (last == std::string::npos) return "no " + end;
  return text.substr(0, first) + text.substr(last);
}

// The template leaves some where it leaves a section out.
std::string no_empty_lines(const std::string& text) {
  std::string out;
  for (const char c : text)
    if (c != '\n' || !out.ends_with('\n')) out += c;
  return out;
}

TEST_F(CitedTables, GroupByTaskAndShotsInTheFilesOrder) {
  std::vector<CitedNumber> numbers{cited("drawn/digits"),       cited("eurosat", "full"),
                                   cited("eurosat", "vtab1k"),  cited("eurosat", "20"),
                                   cited("eurosat", "5"),       cited("dtd", "5"),
                                   cited("eurosat", "5", "fid")};
  numbers.back().value = 0.1;
  const auto groups = cited_groups(numbers);
  std::vector<std::string> titles;
  for (const CitedGroup& group : groups) titles.push_back(group.title);
  EXPECT_THAT(titles,
              testing::ElementsAre("dtd, 5 shots", "eurosat, 5 shots", "eurosat, 20 shots",
                                   "eurosat, vtab1k", "eurosat, full", "drawn/digits, 5 shots"));
  ASSERT_EQ(groups[1].numbers.size(), 2U);
  EXPECT_EQ(groups[1].numbers[0].metric, "fid_mini");
  EXPECT_EQ(groups[1].numbers[1].metric, "fid");
}

TEST_F(CitedTables, StandApartFromResultsInTheReport) {
  const std::string page = written("index.html", {}), table = written("table.md", {});
  EXPECT_THAT(page, Not(HasSubstr(kCitedTitle)));
  EXPECT_THAT(table, Not(HasSubstr(kCitedTitle)));
  const std::string cited_page = written("index.html", {cited()}),
                    cited_table = written("table.md", {cited()});
  EXPECT_THAT(cited_page, HasSubstr(kCitedAbout));
  EXPECT_THAT(cited_page, HasSubstr("<tr><td>A-GAN</td><td>fid_mini</td><td class=\"n\">0.50"
                                    "</td><td class=\"said\">10k samples</td>"));
  EXPECT_THAT(cited_page, HasSubstr("<a href=\"https://example.org/p?a=1&amp;b=2\" "
                                    "rel=\"noreferrer\">A. Author, A Paper, 2024</a>"));
  EXPECT_THAT(cited_table, HasSubstr(kCitedAbout));
  EXPECT_THAT(cited_table, HasSubstr("### eurosat, 5 shots"));
  EXPECT_THAT(cited_table,
              HasSubstr("| A-GAN | fid_mini | 0.50 | 10k samples | A. Author, A Paper, "
                        "2024, https://example.org/p?a=1\\&b=2 | p. 7 |"));
  // All else is what it is without them, byte for byte: also which row is the best.
  const auto others = [](const std::string& text) {
    return no_empty_lines(without(text, "Written 20", " UTC by marquee"));
  };
  EXPECT_EQ(others(without(without(cited_page, "<li><a href=\"#cited\">", "<li><a href=\"#made\">"),
                           "<section id=\"cited\"", "<section id=\"made\"")),
            others(page));
  EXPECT_EQ(without(cited_table, "\n## Cited numbers", ""), table);
}

TEST_F(CitedTables, StandBeneathComparisonsAndMoveNone) {
  const auto all = compared();
  const std::vector<CitedNumber> numbers{cited(), cited("dtd"), cited("eurosat", "20"),
                                         cited("eurosat", "5", "fid")};
  for (const char* format : {"table", "markdown", "latex"}) {
    const std::string plain = compare_text(all, format), with = compare_text(all, format, numbers);
    ASSERT_TRUE(with.starts_with(plain)) << with;
    const std::string beneath = with.substr(plain.size());
    EXPECT_THAT(beneath, HasSubstr("eurosat, 5 shots"));
    EXPECT_THAT(beneath, HasSubstr("0.50"));
    EXPECT_THAT(beneath, HasSubstr(kCitedAbout));
    EXPECT_THAT(beneath, Not(HasSubstr("dtd")));
    EXPECT_THAT(beneath, Not(HasSubstr("20 shots")));
    EXPECT_EQ(beneath.find("A-GAN"), beneath.rfind("A-GAN"));
    EXPECT_EQ(compare_text(all, format, {cited("dtd")}), plain);
  }
  nlohmann::json content = to_json(all, numbers);
  ASSERT_EQ(content[0]["cited"].size(), 1U);
  EXPECT_EQ(content[0]["cited"][0]["value"], 0.5);
  EXPECT_EQ(content[0]["cited"][0]["page"], "p. 7");
  EXPECT_EQ(content[0]["cited"][0]["reference"], "author2024");
  content[0]["cited"] = nlohmann::json::array();
  EXPECT_EQ(content, to_json(all));
}

TEST_F(CitedTables, OfLatexAreCommentsAndTabulars) {
  const std::string text = cited_text({cited()}, "latex");
  std::istringstream lines(text);
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("\\begin{tabular}")) inside = true;
    EXPECT_TRUE(inside || line.empty() || line.starts_with("% ")) << line;
    if (line.starts_with("\\end{tabular}")) inside = false;
  }
  EXPECT_THAT(text, HasSubstr("A-GAN & fid\\_mini & 0.50 & 10k samples"));
  EXPECT_THAT(text, HasSubstr("a=1\\&b=2"));
}

TEST_F(CitedTables, HoldHostileTexts) {
  const std::string page = written("index.html", {hostile()});
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, Not(HasSubstr("<img src=x")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert"));
  EXPECT_THAT(page, Not(HasSubstr("href=\"javascript")));
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));

  const std::string table = written("table.md", {hostile()});
  EXPECT_THAT(table, HasSubstr("\\<script\\>"));
  EXPECT_THAT(table, HasSubstr("\\| x |"));
  EXPECT_THAT(table, HasSubstr("\\`\\[a\\](javascript"));
  EXPECT_THAT(table, Not(HasSubstr("\x1b")));
  EXPECT_THAT(table, HasSubstr("\\x1b"));

  const std::string latex = cited_text({hostile()}, "latex");
  EXPECT_THAT(latex, Not(HasSubstr("\\write18")));
  EXPECT_THAT(latex, HasSubstr("\\textbackslash{}write18\\{rm\\} \\$x\\_1\\$ \\& 100\\%"));
  EXPECT_THAT(latex, Not(HasSubstr("\x1b")));

  const std::string text = cited_text({hostile()}, "table");
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    EXPECT_FALSE(cluster::control_character(line)) << line;
  EXPECT_EQ(nlohmann::json::parse(cited_json({hostile()}).dump())[0]["note"], "\x1b[31mred\nline");
}

TEST_F(CitedTables, ReachNoDatabase) {
  const std::string before = cluster::read_file(file(), 1 << 24);
  cluster::write_file_durably(folder_.path() / "references.yaml", "numbers: a\n");
  write_report(folder_.path(), {{cited()}});
  EXPECT_EQ(cluster::read_file(file(), 1 << 24), before);
  EXPECT_EQ(query_text(file(), "SELECT count(*) AS n FROM all_metrics WHERE value = 0.5", "json"),
            query_text(file(), "SELECT 0 AS n", "json"));
}

}  // namespace
}  // namespace marquee::analysis
