// The inbox: what is taken in, what is refused, and that nothing counts twice.
#include "experiments/inbox.h"

#include <fstream>
#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/error.h"
#include "experiments/brief_hold.h"
#include "experiments/single_run.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/experiments/run_records.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t kEpoch = 7;

class Inbox : public testing::Test {
 protected:
  Inbox() { ledger_.register_sweep(two_runs()); }

  InboxEntry entry(const std::string& kind) const {
    InboxEntry entry;
    entry.kind = kind;
    entry.runs = {id_.text()};
    entry.epoch = kEpoch;
    return entry;
  }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(folder_.path() / "inbox");
    std::ofstream(folder_.path() / "inbox" / name) << text;
  }
  // Puts an attempt of `run` into its folder, sealed, as a single run does.
  int seal(const RunConfig& run, const std::string& status = "done") const {
    const int number = claim_attempt(folder_.path(), run_id(run));
    AttemptRecord record = record_of(run, number, status);
    record.epoch = kEpoch;
    write_attempt(attempt_dir(folder_.path(), run_id(run), number), record);
    return number;
  }
  std::string hand_in(const RunConfig& run, int attempt) const {
    InboxEntry handed = entry("attempt");
    handed.runs = {run_id(run).text()};
    handed.attempt = attempt;
    return seal_entry(folder_.path(), handed);
  }
  TakenIn take() { return take_in(ledger_, folder_.path()); }
  std::vector<std::vector<std::string>> shown(const std::string& sql) {
    ledger_.publish();
    return published(folder_.path(), sql);
  }

  cluster::TemporaryFolder folder_;
  const RunConfig run_ = run_with_seed(0);
  const RunId id_ = run_id(run_);
  Ledger ledger_ = Ledger::open(folder_.path(), kEpoch);
};

TEST_F(Inbox, IsEmptyBeforeAnybodyWrites) {
  EXPECT_FALSE(inbox_waits(folder_.path()));
  EXPECT_EQ(take().entries, 0);
}

TEST_F(Inbox, CancelsAndWantsReruns) {
  seal_entry(folder_.path(), entry("cancel"));
  EXPECT_TRUE(inbox_waits(folder_.path()));
  EXPECT_EQ(take().cancelled, std::vector<std::string>{id_.text()});
  EXPECT_EQ(ledger_.status(id_.text()), "cancelled");
  EXPECT_FALSE(inbox_waits(folder_.path()));
  seal_entry(folder_.path(), entry("rerun"));
  EXPECT_EQ(take().wanted, std::vector<std::string>{id_.text()});
  EXPECT_EQ(ledger_.status(id_.text()), "pending");
}

TEST_F(Inbox, TakesInTheAttemptOfARunThatTheLedgerDoesNotKnow) {
  const RunConfig other = run_with_seed(99);
  hand_in(other, seal(other));
  const TakenIn taken = take();
  EXPECT_EQ(taken.finished, std::vector<std::string>{run_id(other).text()});
  EXPECT_EQ(shown("SELECT status, attempt, fid_mini FROM results WHERE seed = 99"),
            (std::vector<std::vector<std::string>>{{"done", "1", "1.5"}}));
}

TEST_F(Inbox, CountsAnEntryOnceThatWasNotRemovedInTime) {
  const std::string name = hand_in(run_, seal(run_));
  const fs::path file = folder_.path() / "inbox" / name;
  const fs::path copy = folder_.path() / "copy";
  fs::copy_file(file, copy);
  EXPECT_EQ(take().entries, 1);
  // As after a kill between the commit and the removal; meanwhile somebody wants a rerun.
  ASSERT_TRUE(ledger_.want_rerun(id_.text()));
  fs::rename(copy, file);
  const TakenIn again = take();
  EXPECT_EQ(again.entries, 0);
  EXPECT_TRUE(again.finished.empty());
  EXPECT_FALSE(fs::exists(file));
  EXPECT_EQ(ledger_.status(id_.text()), "pending");
  EXPECT_EQ(shown("SELECT count(*) FROM attempts")[0][0], "1");
}

TEST_F(Inbox, DoesNotRepeatARequestThatWasNotRemovedInTime) {
  const std::string name = seal_entry(folder_.path(), entry("cancel"));
  const fs::path file = folder_.path() / "inbox" / name, copy = folder_.path() / "copy";
  fs::copy_file(file, copy);
  take();
  ASSERT_TRUE(ledger_.want_rerun(id_.text()));
  fs::rename(copy, file);
  EXPECT_TRUE(take().cancelled.empty());
  EXPECT_EQ(ledger_.status(id_.text()), "pending");
}

TEST_F(Inbox, RefusesWhatIsBrokenAndKeepsItAside) {
  json valid = to_json(entry("cancel"));
  const auto changed = [&](const char* key, const json& value) {
    json content = valid;
    content[key] = value;
    return content.dump();
  };
  const std::vector<std::pair<std::string, std::string>> broken{
      {"torn.json", valid.dump().substr(0, 40)},
      {"empty.json", ""},
      {"list.json", "[]"},
      {"kind.json", changed("kind", "delete")},
      {"format.json", changed("marquee_inbox", 2)},
      {"future.json", changed("epoch", kEpoch + 1)},
      {"negative.json", changed("epoch", -1)},
      {"runs.json", changed("runs", json::array({"../../etc/passwd"}))},
      {"none.json", changed("runs", json::array())},
      {"typed.json", changed("runs", 5)},
      {"key.json", changed("run", "x")},
      {"attempt.json", changed("attempt", 1)},
      {"bytes.json", "\xff\xfe\x00\x01"}};
  for (const auto& [name, text] : broken) write(name, text);
  const TakenIn taken = take();
  EXPECT_EQ(taken.refused, static_cast<int>(broken.size()));
  EXPECT_TRUE(taken.cancelled.empty());
  for (const auto& [name, text] : broken)
    EXPECT_TRUE(fs::exists(folder_.path() / "inbox" / "refused" / name)) << name;
  EXPECT_FALSE(inbox_waits(folder_.path()));
  EXPECT_EQ(shown("SELECT count(*) FROM events WHERE kind = 'inbox_refused'")[0][0],
            std::to_string(broken.size()));
  EXPECT_EQ(ledger_.status(id_.text()), "pending");
}

TEST_F(Inbox, RefusesWhatIsNoPlainFile) {
  fs::create_directories(folder_.path() / "inbox" / "folder.json" / "inner");
  fs::create_symlink("/etc/hostname", folder_.path() / "inbox" / "link.json");
  ASSERT_EQ(::mkfifo((folder_.path() / "inbox" / "fifo.json").c_str(), 0600), 0);
  EXPECT_EQ(take().refused, 3);
  EXPECT_FALSE(inbox_waits(folder_.path()));
}

TEST_F(Inbox, LeavesFilesThatAreStillBeingWritten) {
  write(".entry.json.tmp-1-0", "{");
  EXPECT_FALSE(inbox_waits(folder_.path()));
  EXPECT_EQ(take().entries, 0);
}

TEST_F(Inbox, BelievesNoAttemptThatIsNotSealedInItsFolder) {
  hand_in(run_, 1);  // nothing there
  EXPECT_EQ(take().refused, 1);
  const int running = seal(run_, "running");
  hand_in(run_, running);
  EXPECT_EQ(take().refused, 1);
  // A record of another run in this run's folder.
  const int number = claim_attempt(folder_.path(), id_);
  AttemptRecord foreign = record_of(run_with_seed(1), number, "done");
  write_attempt(attempt_dir(folder_.path(), id_, number), foreign);
  hand_in(run_, number);
  EXPECT_EQ(take().refused, 1);
  // The right name on another configuration.
  AttemptRecord wrong = record_of(run_, number, "done");
  wrong.run = to_json(run_with_seed(5));
  write_attempt(attempt_dir(folder_.path(), id_, number), wrong);
  hand_in(run_, number);
  EXPECT_EQ(take().refused, 1);
  // An epoch that nobody has had.
  AttemptRecord future = record_of(run_, number, "done");
  future.epoch = kEpoch + 1;
  write_attempt(attempt_dir(folder_.path(), id_, number), future);
  hand_in(run_, number);
  EXPECT_EQ(take().refused, 1);
  EXPECT_EQ(ledger_.status(id_.text()), "pending");
  EXPECT_EQ(shown("SELECT count(*) FROM attempts")[0][0], "0");
}

TEST_F(Inbox, TakesEveryEntryInWhateverTheirNumber) {
  for (int i = 0; i < 300; ++i) seal_entry(folder_.path(), entry(i % 2 == 0 ? "cancel" : "rerun"));
  int entries = 0;
  while (inbox_waits(folder_.path())) entries += take().entries;
  EXPECT_EQ(entries, 300);
  EXPECT_EQ(ledger_.status(id_.text()), "pending");  // the newest entry counts last
}

TEST(Deliver, TakesTheEntryInWhereTheLeaseIsFree) {
  const cluster::TemporaryFolder folder;
  const RunConfig run = run_with_seed(3);
  const SingleRun single(folder.path(), run);
  write_attempt(single.folder(), record_of(run, single.attempt(), "done"));
  const Delivery delivery = single.hand_in();
  ASSERT_TRUE(delivery.taken);
  EXPECT_EQ(delivery.taken->finished, std::vector<std::string>{run_id(run).text()});
  EXPECT_EQ(published(folder.path(), "SELECT status, fid_mini FROM results"),
            (std::vector<std::vector<std::string>>{{"done", "1.5"}}));
  // The lease has been given back.
  EXPECT_TRUE(cluster::read_lease(folder.path()).released);
}

TEST(Deliver, LeavesTheEntryToALivingHolder) {
  const cluster::TemporaryFolder folder;
  const RunConfig run = run_with_seed(3);
  const cluster::Lease holder = cluster::Lease::acquire(folder.path());
  Ledger ledger = Ledger::open(folder.path(), holder.epoch());
  const SingleRun single(folder.path(), run);
  EXPECT_EQ(single.epoch(), holder.epoch());
  write_attempt(single.folder(), record_of(run, single.attempt(), "done"));
  const Delivery delivery = single.hand_in();
  EXPECT_FALSE(delivery.taken);
  EXPECT_NE(delivery.busy.find(std::to_string(getpid())), std::string::npos);
  EXPECT_EQ(take_in(ledger, folder.path()).finished, std::vector<std::string>{run_id(run).text()});
}

TEST(SingleRuns, ClaimFoldersThatNobodyElseGets) {
  const cluster::TemporaryFolder folder;
  const RunConfig run = run_with_seed(3);
  Ledger ledger = Ledger::open(folder.path(), 1);
  ledger.register_run(run);
  const SingleRun first(folder.path(), run), second(folder.path(), run);
  const int third = ledger.start_attempt(run_id(run), "here", 0);
  EXPECT_EQ((std::vector<int>{first.attempt(), second.attempt(), third}),
            (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(read_attempt(first.folder()).status, "running");
  EXPECT_EQ(SingleRun(folder.path(), run).attempt(), 4);
}

TEST(SingleRuns, ClaimFoldersAtTheSameTime) {
  constexpr int kClaimants = 8, kClaims = 25;
  const cluster::TemporaryFolder folder;
  const RunId id = run_id(run_with_seed(3));
  std::vector<std::vector<int>> claimed(kClaimants);
  std::vector<std::thread> claimants;
  for (std::vector<int>& mine : claimed)
    claimants.emplace_back([&] {
      for (int i = 0; i < kClaims; ++i) mine.push_back(claim_attempt(folder.path(), id));
    });
  for (std::thread& claimant : claimants) claimant.join();
  std::set<int> all;
  for (const std::vector<int>& mine : claimed) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), static_cast<std::size_t>(kClaimants * kClaims));
}

TEST(SingleRuns, FindTheNewestFinishedAttempt) {
  const cluster::TemporaryFolder folder;
  const RunConfig run = run_with_seed(3);
  EXPECT_FALSE(finished_attempt(folder.path(), run_id(run)));
  write_attempt(attempt_dir(folder.path(), run_id(run), 2), record_of(run, 2, "done", 2.5));
  write_attempt(attempt_dir(folder.path(), run_id(run), 3), record_of(run, 3, "failed"));
  EXPECT_EQ(finished_attempt(folder.path(), run_id(run))->attempt, 2);
  EXPECT_EQ(newest_finished(run_dir(folder.path(), run_id(run))), 2);
}

}  // namespace
}  // namespace marquee::experiments
