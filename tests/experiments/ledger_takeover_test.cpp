#include "experiments/ledger_takeover.h"

#include <fstream>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/experiments/run_records.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;

class LedgerTakeover : public testing::Test {
 protected:
  void lock(std::uint64_t epoch) const {
    cluster::write_file_durably(
        folder_.path() / "lock",
        R"({"host":"elsewhere.invalid","pid":1,"process_start":1,"sequence":4,"epoch":)" +
            std::to_string(epoch) + R"(,"released":false})");
  }
  std::string count(Ledger& ledger, const std::string& what) const {
    ledger.publish();
    return published(folder_.path(), "SELECT count(*) FROM " + what)[0][0];
  }

  cluster::TemporaryFolder folder_;
};

TEST_F(LedgerTakeover, KeepsAllThatWasCommittedAndNothingThatComesLater) {
  lock(1);
  Ledger old = Ledger::open(folder_.path(), 1);
  old.register_sweep(two_runs());
  old.begin_batch();
  old.add_event("of the old holder", "", "not committed");
  EXPECT_THROW(Ledger::open(folder_.path(), 2), cluster::Error) << "the old holder's lock bars it";
  detach_ledger(folder_.path());
  Ledger fresh = Ledger::open(folder_.path(), 2);
  EXPECT_EQ(count(fresh, "runs"), "2");
  EXPECT_EQ(count(fresh, "events"), "0");
  fresh.add_event("of the new holder", "", "x");
  // The old one wakes up. Until it looks at the lease it writes, but nowhere.
  EXPECT_NO_THROW(old.commit_batch());
  EXPECT_EQ(count(fresh, "events"), "1");
  lock(2);
  old.begin_batch();
  EXPECT_THROW(old.commit_batch(), cluster::Error);
  EXPECT_EQ(count(fresh, "events"), "1");
}

TEST_F(LedgerTakeover, NobodyCommitsOrPublishesUnderAnOldEpoch) {
  lock(1);
  Ledger ledger = Ledger::open(folder_.path(), 1);
  ledger.register_sweep(two_runs());
  ledger.publish();
  const auto before = fs::last_write_time(folder_.path() / "results.sqlite");
  lock(2);
  EXPECT_THROW(ledger.register_run(run_with_seed(9)), cluster::Error);
  EXPECT_THROW(ledger.publish(), cluster::Error);
  EXPECT_EQ(fs::last_write_time(folder_.path() / "results.sqlite"), before);
  EXPECT_FALSE(ledger.has_run(run_id(run_with_seed(9)).text()));
}

TEST_F(LedgerTakeover, OfADamagedLedgerIsRefusedAndLeavesIt) {
  { Ledger::open(folder_.path(), 1).register_sweep(two_runs()); }
  const fs::path file = folder_.path() / "ledger.sqlite";
  std::string bytes = cluster::read_file(file, 1 << 30);
  for (std::size_t at = 4096; at < bytes.size(); ++at) bytes[at] = '\x7f';
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  try {
    detach_ledger(folder_.path());
    FAIL() << "taken over";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("doctor --rebuild"), std::string::npos);
  }
  EXPECT_EQ(cluster::read_file(file, 1 << 30), bytes);
  for (const auto& entry : fs::directory_iterator(folder_.path()))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".ledger")) << entry.path();
}

TEST_F(LedgerTakeover, WithoutALedgerDoesNothing) {
  detach_ledger(folder_.path());
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

}  // namespace
}  // namespace marquee::experiments
