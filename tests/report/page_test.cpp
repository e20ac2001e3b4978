// What pages are made of: escaping, privacy, pictures, the list of runs, costs.
#include <map>
#include <set>
#include <span>

#include <gtest/gtest.h>

#include "analysis/report/cost_table.h"
#include "analysis/report/database.h"
#include "analysis/report/html.h"
#include "analysis/report/picture_book.h"
#include "analysis/report/private_text.h"
#include "analysis/report/report.h"
#include "analysis/report/run_facts.h"
#include "cluster/base64.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "datasets/image_size.h"
#include "tests/report/finished_runs.h"

namespace marquee::analysis {
namespace {

using nlohmann::json;

// The header of a PNG of that size; whoever only reads it is content.
std::string png_header(int width, int height) {
  const auto number = [](int value) {
    std::string bytes(4, '\0');
    for (int i = 0; i < 4; ++i)
      bytes[static_cast<std::size_t>(3 - i)] = static_cast<char>(value >> (8 * i));
    return bytes;
  };
  return std::string("\x89PNG\r\n\x1a\n") + number(13) + "IHDR" + number(width) + number(height) +
         std::string("\x08\x02\0\0\0\0\0\0\0", 9);
}

TEST(Base64, IsThatOfRfc4648) {
  EXPECT_EQ(cluster::base64(""), "");
  EXPECT_EQ(cluster::base64("f"), "Zg==");
  EXPECT_EQ(cluster::base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(cluster::base64(std::string_view("\xff\0", 2)), "/wA=");
}

TEST(Html, TextStaysText) {
  const Table table{{"<b>"}, {{"\"><script>alert(1)</script>"}}, {false}};
  const std::string html = html_table(table, {"\" onload=\"x"});
  EXPECT_EQ(html.find("<script"), std::string::npos) << html;
  EXPECT_EQ(html.find("onload=\"x\""), std::string::npos) << html;
  EXPECT_NE(html.find("&lt;b&gt;"), std::string::npos);
}

TEST(Html, NumbersAreSortedByTheirValue) {
  const Table table{{"fid", "note"}, {{"12.5 ± 0.3", "10"}, {"", ""}}, {true, false}};
  const std::string html = html_table(table, {"t"});
  EXPECT_NE(html.find("data-v=\"12.5\""), std::string::npos) << html;
  EXPECT_NE(html.find("data-v=\"\""), std::string::npos) << html;
}

TEST(Html, AnchorsAreOfLettersDigitsAndLines) {
  EXPECT_EQ(anchor_of("drawn/shapes_count, protocol mini-v1"),
            "drawn-shapes-count-protocol-mini-v1");
}

TEST(Privacy, HostsPathsAndUsersStayOut) {
  const PrivateText text({"node17", "node17.cluster.example"}, false);
  EXPECT_EQ(text("/home/alice/results/runs/ab/result.h5: disk full"), ".../result.h5: disk full");
  EXPECT_EQ(text("on node17.cluster.example, not node170: see '~/alice/log'"),
            "on host-2, not node170: see '.../log'");
  EXPECT_EQ(text("cannot open \"/a/b\", see https://example.org/x/y and eurosat/rgb 1/2"),
            "cannot open \".../b\", see https://example.org/x/y and eurosat/rgb 1/2");
  EXPECT_EQ(text("--data=/secret/folder/ failed"), "--data=.../folder failed");
  EXPECT_EQ(text.within(json{{"a", {"/x/y", 3}}}), (json{{"a", {".../y", 3}}}));
  const PrivateText shown({"node17"}, true);
  EXPECT_EQ(shown("node17 /a/b"), "node17 /a/b");
}

TEST(Pictures, AreTakenWholeUntilThePageIsFull) {
  cluster::TemporaryFolder folder;
  const std::string png = png_header(40, 20);
  cluster::write_file_durably(folder.path() / "a.png", png);
  cluster::write_file_durably(folder.path() / "b.png", "GIF89a, says its content");
  cluster::write_file_durably(folder.path() / "c.png", png_header(100000, 20));
  // The head of a JPEG of 40 by 20.
  const std::string jpeg("\xff\xd8\xff\xc0\0\x0b\x08\0\x14\0\x28\1", 12);
  ASSERT_TRUE(datasets::declared_image_size(std::as_bytes(std::span(jpeg))));
  cluster::write_file_durably(folder.path() / "d.png", jpeg);
  PictureBook book(png.size());
  EXPECT_FALSE(book.embed(folder.path() / "missing.png"));
  EXPECT_FALSE(book.embed(folder.path() / "b.png"));
  EXPECT_FALSE(book.embed(folder.path() / "c.png"));
  EXPECT_FALSE(book.embed(folder.path() / "d.png")) << "no PNG, whatever its name";
  const auto picture = book.embed(folder.path() / "a.png");
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->width, 40);
  EXPECT_EQ(picture->height, 20);
  EXPECT_EQ(picture->uri, "data:image/png;base64," + cluster::base64(png));
  EXPECT_FALSE(book.embed(folder.path() / "a.png")) << "no byte is left";
}

TEST(Pictures, FactsThatAreDamagedAreNamed) {
  cluster::TemporaryFolder folder;
  EXPECT_FALSE(read_picture_facts(folder.path()));
  for (const char* content : {"{", "[]", "{\"labels\": \"x\"}"}) {
    cluster::write_file_durably(folder.path() / "pictures.json", content);
    EXPECT_THROW(read_picture_facts(folder.path()), cluster::Error) << content;
  }
  cluster::write_file_durably(
      folder.path() / "pictures.json",
      R"({"columns": 2, "labels": [0, 1], "neighbours": [{"distance": 1.5}]})");
  const auto facts = read_picture_facts(folder.path());
  EXPECT_EQ(facts->labels, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(facts->distances, std::vector<double>{1.5});
}

class Page : public FinishedRuns {
 protected:
  Page() {
    finish(run_of("eurosat", "prompt", 0), {metric_of("fid_mini", 5)});
    finish(run_of("eurosat", "prompt", 1), {metric_of("fid_mini", 6)});
    finish(run_of("dtd", "none", 0), {metric_of("fid_mini", 7)});
  }
  std::string written(const ReportOptions& options = {}) {
    ledger_.publish();
    write_report(folder_.path(), options);
    return cluster::read_file(folder_.path() / "report" / "index.html", 1 << 22);
  }
};

TEST_F(Page, TellsOfEachRunWhatIsItsOwnAndOfAllWhatIsTheSame) {
  ledger_.publish();
  SQLite::Database database = open_published(file());
  const Comparison comparison = load_comparison(file());
  const RunFacts facts = run_facts(database, comparison, PrivateText({"here"}, false));
  ASSERT_EQ(facts.runs.at("runs").size(), 3U);
  const auto& rows = facts.runs.at("rows");
  std::set<std::string> names, ids;
  for (const auto& run : facts.runs.at("runs")) {
    names.insert(rows.at(run.at(0).get<std::size_t>()).at("name").get<std::string>() + ", seed " +
                 run.at(1).dump());
    ids.insert(run.at(2).get<std::string>());
    EXPECT_EQ(run.size(), 3 + facts.runs.at("columns").size() + facts.runs.at("keys").size());
  }
  EXPECT_EQ(names, (std::set<std::string>{"eurosat, prompt, 5 shots, seed 0",
                                          "eurosat, prompt, 5 shots, seed 1",
                                          "dtd, none, 5 shots, seed 0"}));
  EXPECT_TRUE(ids.contains(id_of(run_of("dtd", "none", 0))));
  bool steps = false;
  for (const auto& row : facts.common.rows) {
    steps = steps || row.front() == "configuration: steps";
    EXPECT_NE(row.front(), "configuration: task") << "differs";
  }
  EXPECT_TRUE(steps) << "the same for all";
  for (const auto& row : rows) EXPECT_TRUE(row.at("config").contains("task"));
  EXPECT_EQ(facts.runs.dump().find("\"here\""), std::string::npos) << "the host";
}

using FactsOfRuns = FinishedRuns;

TEST_F(FactsOfRuns, ThatDifferStandWithEachAndTheOthersOnceForAll) {
  for (const std::uint64_t seed : {2, 3}) {
    experiments::ResultRecord result;
    result.fingerprint = {{"device", "cpu"}, {"threads", seed}};
    result.provenance = {{"resize_rule", "antialiased"}};
    finish_run(ledger_, run_of("eurosat", "prompt", seed), {metric_of("fid_mini", 5)}, result);
  }
  ledger_.publish();
  SQLite::Database database = open_published(file());
  const RunFacts facts = run_facts(database, load_comparison(file()), PrivateText({"here"}, false));
  EXPECT_EQ(facts.runs.at("keys"), json::array({"fingerprint: threads"}));
  ASSERT_EQ(facts.runs.at("runs").size(), 2U);
  for (const json& run : facts.runs.at("runs")) {
    ASSERT_EQ(run.size(), 3 + facts.runs.at("columns").size() + 1);
    EXPECT_EQ(facts.runs.at("values").at(0).at(run.back().get<std::size_t>()), run.at(1))
        << "as many threads as its seed says";
  }
  std::map<std::string, std::string> common;
  for (const std::vector<std::string>& row : facts.common.rows) common[row.at(0)] = row.at(1);
  EXPECT_EQ(common.at("provenance: resize_rule"), "antialiased");
  EXPECT_EQ(common.at("fingerprint: device"), "cpu");
  EXPECT_FALSE(common.contains("fingerprint: threads"));
}

TEST_F(Page, CountsTheCostOfEveryAttempt) {
  experiments::AttemptRecord failed;
  const experiments::RunConfig run = run_of("dtd", "finetune");
  ledger_.register_run(run);
  failed.run_id = id_of(run);
  failed.attempt =
      ledger_.start_attempt(experiments::run_id(run), "here", 0, experiments::AttemptFolder::none);
  failed.epoch = 1;
  failed.status = "failed";
  failed.cause.kind = "crash";
  failed.cause.message = "/home/alice/x.h5: gone";
  failed.started = "2026-01-01T00:00:00.000Z";
  failed.ended = "2026-01-01T01:30:00.000Z";
  failed.run = experiments::to_json(run);
  ledger_.finish_attempt(failed);
  ledger_.publish();
  SQLite::Database database = open_published(file());
  const Table table = cost_table(database, load_comparison(file()));
  ASSERT_EQ(table.rows.size(), 4U);  // prompt, none, without a result, all
  EXPECT_EQ(table.rows[0][2], "2");
  EXPECT_EQ(table.rows[2][1], "without a result (yet)");
  EXPECT_EQ(table.rows[2][4], "1.500");
  EXPECT_EQ(table.rows[3][2], "4");
  EXPECT_EQ(table.rows[3][4], "1.500");

  const std::string page = written();
  EXPECT_EQ(page.find("alice"), std::string::npos);
  EXPECT_NE(page.find(".../x.h5: gone"), std::string::npos);
  ReportOptions open;
  open.hosts = true;
  EXPECT_NE(written(open).find("/home/alice/x.h5"), std::string::npos);
}

TEST_F(Page, StandsAloneAndItsScriptIsTheOnlyOne) {
  const std::string page = written();
  EXPECT_EQ(page.find("http://"), std::string::npos);
  EXPECT_EQ(page.find("src=\"images"), std::string::npos);
  EXPECT_NE(page.find("script-src 'sha256-"), std::string::npos);
  EXPECT_EQ(page.find("<body data-refresh"), std::string::npos);
  ReportOptions live;
  live.refresh_seconds = 7;
  EXPECT_NE(written(live).find("<body data-refresh=\"7\">"), std::string::npos);
}

TEST_F(Page, HostileNamesEndNoScript) {
  experiments::EvaluationRecord outside;
  outside.name = "</script><script>alert(1)</script><img src=x onerror=alert(2)>";
  outside.task = "eurosat";
  outside.shots = "5";
  outside.protocol = "mini-v1";
  outside.network_hash = kNetwork;
  outside.metrics = {metric_of("fid_mini", 3)};
  ledger_.enter_evaluation(outside);
  experiments::RunConfig run = run_of("dtd", "prompt", 9);
  run.base = "</script><b>base";
  finish(run, {metric_of("fid_mini", 5)});
  const std::string page = written();
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_EQ(page.find("<img src=x"), std::string::npos);
  EXPECT_EQ(page.find("<b>base"), std::string::npos);
  std::size_t scripts = 0;
  for (std::size_t at = page.find("</script>"); at != std::string::npos;
       at = page.find("</script>", at + 1))
    ++scripts;
  EXPECT_EQ(scripts, 2U);
}

}  // namespace
}  // namespace marquee::analysis
