#include "orchestrator/shell/man_page.h"

#include <gtest/gtest.h>

namespace marquee::orchestrator {
namespace {

cluster::CommandFacts sample() {
  cluster::CommandFacts part{.name = "list", .summary = "the tasks", .usage = "marquee data list"};
  part.text =
      ".so /etc/passwd\n'br\na \\fBback\\fR slash\nand\x1b[31m \u00e9\n\n  marquee -x \\\n\nEnd.";
  part.options = {
      {.name = "out", .short_name = "o", .value = "DIR", .text = ".sy rm", .required = true}};
  cluster::CommandFacts data{.name = "data", .summary = "of tasks"};
  data.parts = {part};
  return {.name = "marquee", .summary = "all", .parts = {data}};
}

TEST(ManPage, IsThereForEachCommandAndPart) {
  const auto pages = man_pages(sample(), "1.2.3");
  ASSERT_EQ(pages.size(), 3u);
  EXPECT_TRUE(pages.contains("marquee"));
  EXPECT_TRUE(pages.contains("marquee-data"));
  EXPECT_NE(pages.at("marquee-data").find(".BR marquee\\-data\\-list (1)"), std::string::npos);
  EXPECT_NE(pages.at("marquee-data-list").find("1.2.3"), std::string::npos);
}

TEST(ManPage, LetsNoTextBeARequestOrAnEscape) {
  const std::string page = man_pages(sample(), "1").at("marquee-data-list");
  EXPECT_EQ(page.find("\n.so"), std::string::npos);
  EXPECT_EQ(page.find("\n'br"), std::string::npos);
  EXPECT_EQ(page.find("\n.sy"), std::string::npos);
  EXPECT_NE(page.find("\\efBback\\efR"), std::string::npos);
  EXPECT_EQ(page.find('\x1b'), std::string::npos);
  EXPECT_NE(page.find("\\[u00E9]"), std::string::npos);
  EXPECT_NE(page.find(".nf\nmarquee \\-x \\e\n.fi"), std::string::npos);
}

}  // namespace
}  // namespace marquee::orchestrator
