// Two results folders become one: nothing lost, nothing taken twice, what differs is named.
#include "experiments/merge.h"

#include <gmock/gmock.h>

#include "cluster/error.h"
#include "cluster/file_seal.h"
#include "experiments/run_folder.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/experiments/run_of_test.h"
#include "tests/experiments/run_records.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class Merge : public testing::Test {
 protected:
  // A finished (or failed) attempt in a folder, as a trainer seals it.
  static void finish(const fs::path& results, std::uint64_t seed, int attempt, double fid,
                     const std::string& status = "done", const std::string& host = "a") {
    const RunConfig run = run_with_seed(seed);
    AttemptRecord record = record_of(run, attempt, status, fid);
    record.host = host;
    record.run = to_json(run);
    const fs::path folder = attempt_dir(results, run_id(run), attempt);
    if (status == "done") {
      write_bytes(folder / "result.h5",
                  std::string(cluster::kSealBlockBytes, '\0') + std::to_string(fid));
      record.result->result_sha256 = cluster::seal_file(folder / "result.h5");
      record.result->tokens_sha256 = std::to_string(fid);
      write_bytes(folder / "samples.png", "png");
      write_checkpoint_file(run_dir(results, run_id(run)), attempt, 10);
    }
    write_attempt(folder, record);
  }
  MergeReport merge_into(const MergeOptions& options = {},
                         const std::vector<SweepFile>& sweeps = {}) {
    std::string busy;
    auto hold = BriefHold::try_take(target(), busy);
    EXPECT_TRUE(hold) << busy;
    return merge(*hold, target(), source(), sweeps, options, [](std::size_t, std::size_t) {});
  }
  std::vector<std::vector<std::string>> rows(const std::string& sql) const {
    return published(target(), sql);
  }
  const fs::path& target() const { return target_.path(); }
  const fs::path& source() const { return source_.path(); }
  cluster::TemporaryFolder target_, source_;
};

TEST_F(Merge, TakesWhatIsNewAndNothingTwice) {
  finish(target(), 0, 1, 1.5);
  finish(source(), 1, 1, 0, "failed", "b");
  finish(source(), 1, 2, 2.5, "done", "b");
  finish(source(), 2, 1, 3.5, "done", "b");
  { Ledger::open(target(), 1).register_run(run_with_seed(0)); }
  const MergeReport first = merge_into({}, {two_runs()});
  EXPECT_EQ(first.runs, 2U);
  EXPECT_EQ(first.new_runs, 2U);
  EXPECT_EQ(first.attempts, 3U);
  EXPECT_EQ(first.sweeps, 1U);
  EXPECT_TRUE(first.conflicts.empty());
  EXPECT_TRUE(first.left_out.empty());
  const std::string sql =
      "SELECT r.seed, r.status, v.fid_mini FROM runs r JOIN results v ON v.run_id = r.run_id ORDER "
      "BY r.seed";
  const auto after = rows(sql);
  EXPECT_THAT(after, ElementsAre(ElementsAre("0", "done", "1.5"), ElementsAre("1", "done", "2.5"),
                                 ElementsAre("2", "done", "3.5")));
  const fs::path copy = attempt_dir(target(), run_id(run_with_seed(1)), 2);
  EXPECT_TRUE(cluster::has_valid_seal(copy / "result.h5"));
  EXPECT_TRUE(fs::exists(copy / "samples.png"));
  EXPECT_FALSE(fs::exists(copy / "checkpoint-10.h5"));
  const MergeReport again = merge_into({}, {two_runs()});
  EXPECT_EQ(again.attempts, 0U);
  EXPECT_EQ(again.same, 3U);
  EXPECT_EQ(rows(sql), after);
  EXPECT_EQ(rows("SELECT 1 FROM attempts").size(), 4U);
}

TEST_F(Merge, OfTheSameResultTakesNothing) {
  finish(target(), 0, 1, 1.5, "done", "a");
  finish(source(), 0, 1, 1.5, "done", "b");
  { Ledger::open(target(), 1).register_run(run_with_seed(0)); }
  const MergeReport report = merge_into();
  EXPECT_EQ(report.agreeing, 1U);
  EXPECT_EQ(report.attempts, 0U);
  EXPECT_EQ(rows("SELECT 1 FROM attempts").size(), 1U);
}

TEST_F(Merge, NamesResultsThatDiffer) {
  finish(target(), 0, 1, 1.5, "done", "a");
  finish(source(), 0, 1, 2.5, "done", "b");
  { Ledger::open(target(), 1).register_run(run_with_seed(0)); }
  MergeOptions options;
  options.dry_run = true;
  EXPECT_EQ(merge_into(options).conflicts.size(), 1U);
  const MergeReport kept = merge_into();
  ASSERT_EQ(kept.conflicts.size(), 1U);
  EXPECT_EQ(kept.conflicts[0].run_id, run_id(run_with_seed(0)).text());
  EXPECT_THAT(kept.conflicts[0].differs, HasSubstr("tokens_sha256, fid_mini"));
  EXPECT_EQ(kept.attempts, 0U);
  EXPECT_THAT(rows("SELECT fid_mini FROM results"), ElementsAre(ElementsAre("1.5")));
  EXPECT_EQ(rows("SELECT 1 FROM events WHERE kind = 'merge_conflict'").size(), 1U);
  options = {};
  options.take_conflicts = true;
  EXPECT_EQ(merge_into(options).attempts, 1U);
  EXPECT_THAT(rows("SELECT fid_mini, attempt FROM results"), ElementsAre(ElementsAre("2.5", "2")));
  EXPECT_EQ(rows("SELECT 1 FROM events WHERE kind = 'rerun_mismatch'").size(), 1U);
  EXPECT_EQ(merge_into(options).attempts, 0U);
}

TEST_F(Merge, LeavesDamagedFilesOut) {
  for (const std::uint64_t seed : {1, 2, 3, 4}) finish(source(), seed, 1, 2.5);
  const auto folder = [&](std::uint64_t seed) {
    return attempt_dir(source(), run_id(run_with_seed(seed)), 1);
  };
  fs::resize_file(folder(1) / "result.h5", fs::file_size(folder(1) / "result.h5") - 1);
  // Another run's result, whole in itself.
  write_bytes(folder(2) / "result.h5", std::string(cluster::kSealBlockBytes, '\0') + "other");
  cluster::seal_file(folder(2) / "result.h5");
  fs::remove(folder(3) / "result.h5");
  fs::create_symlink("/etc/passwd", folder(4) / "link");
  fs::create_directories(source() / "runs" / "no id");
  const MergeReport report = merge_into();
  EXPECT_EQ(report.left_out.size(), 4U);
  EXPECT_EQ(rows("SELECT 1 FROM results WHERE status = 'done'").size(), 1U);
  EXPECT_FALSE(fs::exists(attempt_dir(target(), run_id(run_with_seed(4)), 1) / "link"));
}

TEST_F(Merge, RenamesASweepOfAnotherFile) {
  finish(source(), 0, 1, 1.5);
  SweepFile sweep = two_runs();
  sweep.sha256 = std::string(64, '1');
  merge_into({}, {sweep});
  sweep.sha256 = std::string(64, '2');
  const MergeReport report = merge_into({}, {sweep});
  EXPECT_THAT(report.renamed_sweeps, ElementsAre("two -> two.22222222"));
  EXPECT_THAT(rows("SELECT sweep, count(*) FROM sweep_runs GROUP BY sweep ORDER BY sweep"),
              ElementsAre(ElementsAre("two", "2"), ElementsAre("two.22222222", "2")));
}

TEST_F(Merge, RefusesAFolderWithoutResults) {
  EXPECT_THROW(merge_into(), cluster::Error);
}

}  // namespace
}  // namespace marquee::experiments
