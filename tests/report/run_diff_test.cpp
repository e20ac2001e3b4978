#include "analysis/report/run_diff.h"

#include <gmock/gmock.h>

#include "cluster/error.h"
#include "tests/report/finished_runs.h"

namespace marquee::analysis {
namespace {

using experiments::RunConfig;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class RunDiffs : public FinishedRuns {
 protected:
  // A further attempt, made on `device`, with these tokens.
  void attempt(const RunConfig& run, double fid, const std::string& device,
               const std::string& tokens) {
    ledger_.register_run(run);
    ledger_.want_rerun(id_of(run));
    experiments::AttemptRecord record;
    record.run_id = id_of(run);
    record.attempt = ledger_.start_attempt(experiments::run_id(run), "here", 0,
                                           experiments::AttemptFolder::none);
    record.epoch = 1;
    record.status = "done";
    record.host = "here";
    record.run = experiments::to_json(run);
    record.result = experiments::ResultRecord{};
    record.result->metrics = {metric_of("fid_mini", fid)};
    record.result->tokens_sha256 = tokens;
    record.result->prompt_sha256 = "same";
    record.result->fingerprint = {{"device", device}, {"torch", "2.11.0"}};
    record.result->provenance = {{"commit", "abc"}, {"timing", {{"tune", fid}}}};
    ledger_.finish_attempt(record);
  }
  RunDiff diff(const RunPair& pair) {
    ledger_.publish();
    return load_run_diff(file(), pair);
  }
};

TEST_F(RunDiffs, NameKeysThatDiffer) {
  RunConfig other = run_of("eurosat", "prompt");
  other.prompt_length = 16;
  attempt(run_of("eurosat", "prompt"), 10, "cpu", "a");
  attempt(other, 8, "cpu", "b");
  const RunDiff found = diff({id_of(run_of("eurosat", "prompt")), id_of(other)});
  ASSERT_EQ(found.configuration.size(), 1U);
  EXPECT_EQ(found.configuration[0].field, "prompt_length");
  EXPECT_EQ(found.configuration[0].before, 8);
  EXPECT_EQ(found.configuration[0].after, 16);
  EXPECT_TRUE(found.made.empty());
  ASSERT_EQ(found.content.size(), 1U);
  EXPECT_EQ(found.content[0].field, "tokens");
  EXPECT_EQ(found.numbers.metrics[0].difference, -2);
  const std::string text = run_diff_text(found);
  EXPECT_THAT(text, HasSubstr("prompt_length  8       16\n"));
  EXPECT_THAT(text, HasSubstr("both were made alike"));
  EXPECT_THAT(text, HasSubstr("equal to the last bit: prompt"));
  EXPECT_THAT(to_json(found)["configuration"].dump(), HasSubstr("\"prompt_length\""));
}

TEST_F(RunDiffs, OfAttemptsSayHowTheyWereMade) {
  const RunConfig run = run_of("eurosat", "prompt");
  attempt(run, 10, "cpu", "a");
  attempt(run, 10.5, "cuda", "b");
  const RunDiff found = diff({id_of(run), id_of(run), 1, 2});
  EXPECT_TRUE(found.configuration.empty());
  ASSERT_EQ(found.made.size(), 1U);  // timing is no difference
  EXPECT_EQ(found.made[0].field, "device");
  EXPECT_EQ(found.numbers.metrics[0].before->value, 10);
  EXPECT_EQ(found.numbers.metrics[0].difference, 0.5);
  EXPECT_THAT(run_diff_text(found), HasSubstr("the configurations are equal"));
  EXPECT_THROW(diff({id_of(run), id_of(run), 1, 3}), cluster::Error);
  const RunDiff same = diff({id_of(run), id_of(run), 2, 2});
  EXPECT_THAT(run_diff_text(same), HasSubstr("what was made is equal to the last bit"));
}

TEST(FieldDifferences, GoIntoObjects) {
  const auto found =
      field_differences(json::parse(R"({"a": 1, "b": {"c": [1], "d": 2}, "e": "x"})"),
                        json::parse(R"({"a": 1, "b": {"c": [2], "d": 2}, "f": null})"));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].field, "b/c");
  EXPECT_EQ(found[1].field, "e");
  EXPECT_TRUE(found[1].after.is_null());
}

}  // namespace
}  // namespace marquee::analysis
