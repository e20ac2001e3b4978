#include "cluster/lease.h"

#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::cluster {
namespace {

TEST(Lease, IsRefusedWhileItsHolderLivesAndNamesIt) {
  const TemporaryFolder folder;
  const Lease held = Lease::acquire(folder.path());
  try {
    Lease::acquire(folder.path());
    FAIL() << "two holders";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::busy);
    const std::string message = error.what();
    EXPECT_NE(message.find(host_name()), std::string::npos) << message;
    EXPECT_NE(message.find(std::to_string(getpid())), std::string::npos) << message;
  }
}

TEST(Lease, EveryHolderTakesAHigherEpoch) {
  const TemporaryFolder folder;
  std::uint64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    Lease lease = Lease::acquire(folder.path());
    EXPECT_GT(lease.epoch(), last);
    last = lease.epoch();
    lease.release();
  }
}

TEST(Lease, IsReleasedWithItsOwner) {
  const TemporaryFolder folder;
  { const Lease lease = Lease::acquire(folder.path()); }
  EXPECT_TRUE(read_lease(folder.path()).released);
  EXPECT_NO_THROW(Lease::acquire(folder.path()));
}

TEST(Lease, OfAKilledHolderIsTakenOverAtOnce) {
  const TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    const Lease lease = Lease::acquire(folder.path());
    _exit(0);  // without a destructor, as after SIGKILL
  }
  waitpid(child, nullptr, 0);
  ASSERT_FALSE(read_lease(folder.path()).released);
  EXPECT_EQ(Lease::acquire(folder.path()).epoch(), 2u);
}

TEST(Lease, IsTakenOverWhenAnotherProcessHasTheHoldersNumber) {
  const TemporaryFolder folder;
  { const Lease lease = Lease::acquire(folder.path()); }
  // This process's number with another start time: a number that was given again.
  std::string text = read_file(folder.path() / "lock", 10000);
  LeaseRecord record = read_lease(folder.path());
  const std::string start = std::to_string(record.process_start);
  ASSERT_NE(text.find(start), std::string::npos);
  text.replace(text.find(start), start.size(), "1");
  const auto released = text.find("true");
  ASSERT_NE(released, std::string::npos);
  text.replace(released, 4, "false");
  write_file_durably(folder.path() / "lock", text);
  ASSERT_FALSE(read_lease(folder.path()).released);
  EXPECT_NO_THROW(Lease::acquire(folder.path()));
}

TEST(Lease, RenewRaisesTheSequence) {
  const TemporaryFolder folder;
  Lease lease = Lease::acquire(folder.path());
  const std::uint64_t before = read_lease(folder.path()).sequence;
  lease.renew();
  EXPECT_GT(read_lease(folder.path()).sequence, before);
}

TEST(Lease, OfAnotherHostIsTakenOverAfterItStoodStill) {
  const TemporaryFolder folder;
  { const Lease lease = Lease::acquire(folder.path()); }
  std::string text = read_file(folder.path() / "lock", 10000);
  text.replace(text.find("true"), 4, "false");
  const std::string host = host_name();
  text.replace(text.find(host), host.size(), "another-host.invalid");
  write_file_durably(folder.path() / "lock", text);
  LeaseOptions patience;
  patience.stale_after_seconds = 0.3;
  patience.poll_seconds = 0.05;
  EXPECT_EQ(Lease::acquire(folder.path(), patience).epoch(), 2u);
}

// The lock file as another process would leave it: `old` replaced by `text`.
void rewrite_lock(const TemporaryFolder& folder, const std::string& old, const std::string& text) {
  std::string content = read_file(folder.path() / "lock", 10000);
  const auto at = content.find(old);
  ASSERT_NE(at, std::string::npos) << content;
  content.replace(at, old.size(), text);
  write_file_durably(folder.path() / "lock", content);
}

TEST(Lease, OfAnotherHostIsNotTakenBeforeItStoodStill) {
  const TemporaryFolder folder;
  { const Lease lease = Lease::acquire(folder.path()); }
  rewrite_lock(folder, "true", "false");
  rewrite_lock(folder, host_name(), "another-host.invalid");
  LeaseOptions hasty;
  hasty.stale_after_seconds = 3600;
  hasty.give_up_after_seconds = 0.1;
  hasty.poll_seconds = 0.02;
  try {
    Lease::acquire(folder.path(), hasty);
    FAIL() << "taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::busy);
    EXPECT_NE(std::string(error.what()).find("another-host.invalid"), std::string::npos);
  }
}

TEST(Lease, RenewIsRefusedAfterATakeover) {
  const TemporaryFolder folder;
  Lease lease = Lease::acquire(folder.path());
  rewrite_lock(folder, "\"epoch\":1", "\"epoch\":2");
  EXPECT_THROW(lease.renew(), Error);
}

TEST(Lease, ReleaseLeavesTheLeaseOfASuccessorAlone) {
  const TemporaryFolder folder;
  {
    const Lease lease = Lease::acquire(folder.path());
    rewrite_lock(folder, "\"epoch\":1", "\"epoch\":2");
  }
  EXPECT_FALSE(read_lease(folder.path()).released);
}

TEST(Lease, OnlyOneOfSeveralNewcomersGetsIt) {
  constexpr int kNewcomers = 6;
  const TemporaryFolder folder;
  int done[2];
  ASSERT_EQ(pipe(done), 0);
  std::vector<pid_t> children;
  for (int i = 0; i < kNewcomers; ++i) {
    children.push_back(fork());
    if (children.back() != 0) continue;
    close(done[1]);
    alarm(30);  // two holders would wait for each other
    int code = 0;
    try {
      const Lease lease = Lease::acquire(folder.path());
      // Held until every newcomer has tried: the parent closes its end then.
      char byte = 0;
      code = read(done[0], &byte, 1) == 0 ? 10 : 1;
    } catch (const Error& error) {
      code = error.kind() == ErrorKind::busy ? 20 : 1;
    }
    _exit(code);
  }
  // All but the holder end by themselves.
  int busy = 0, held = 0;
  for (int i = 0; i < kNewcomers; ++i) {
    if (i == kNewcomers - 1) close(done[1]);
    int raw = 0;
    ASSERT_GT(wait(&raw), 0);
    busy += WEXITSTATUS(raw) == 20 ? 1 : 0;
    held += WEXITSTATUS(raw) == 10 ? 1 : 0;
  }
  close(done[0]);
  EXPECT_EQ(held, 1);
  EXPECT_EQ(busy, kNewcomers - 1);
}

TEST(LeaseOptions, ComeFromTheEnvironmentAndAreChecked) {
  unsetenv("MARQUEE_LEASE");
  EXPECT_EQ(lease_options().stale_after_seconds, 60);
  EXPECT_EQ(lease_options().give_up_after_seconds, 600);
  setenv("MARQUEE_LEASE", "12.5:7", 1);
  EXPECT_EQ(lease_options().stale_after_seconds, 12.5);
  EXPECT_EQ(lease_options().give_up_after_seconds, 7);
  // Below 10 seconds the lease of a living holder could be taken.
  for (const char* text : {"9:600", "x", "10", "10:", "10:5x", "nan:5", "10:-1", ":"}) {
    setenv("MARQUEE_LEASE", text, 1);
    EXPECT_THROW(lease_options(), Error) << text;
  }
  unsetenv("MARQUEE_LEASE");
}

TEST(ReadLease, OfAFreshFolderIsReleasedWithEpochZero) {
  const TemporaryFolder folder;
  EXPECT_TRUE(read_lease(folder.path()).released);
  EXPECT_EQ(read_lease(folder.path()).epoch, 0u);
}

TEST(Lease, RefusesALockFileThatIsNoLease) {
  const TemporaryFolder folder;
  write_file_durably(folder.path() / "lock", "{\"host\": \"x");
  try {
    Lease::acquire(folder.path());
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("lock"), std::string::npos);
  }
}

TEST(Lease, OfAnotherHostIsTriedWithoutWaiting) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "lock";
  { const Lease lease = Lease::acquire(folder.path()); }
  rewrite_lock(folder, "true", "false");
  rewrite_lock(folder, host_name(), "another-host.invalid");
  LeaseWatch watch;
  EXPECT_FALSE(Lease::try_acquire(file, watch, 0.2).has_value()) << "at the first look";
  EXPECT_FALSE(watch.has_moved());
  rewrite_lock(folder, "\"sequence\":0", "\"sequence\":1");
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  EXPECT_FALSE(Lease::try_acquire(file, watch, 0.2).has_value()) << "it was renewed";
  EXPECT_TRUE(watch.has_moved());
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  const auto taken = Lease::try_acquire(file, watch, 0.2, "run");
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->epoch(), 2u);
  EXPECT_EQ(read_lease_file(file).role, "run");
}

TEST(Lease, FenceHoldsUntilALaterEpochIsTaken) {
  const TemporaryFolder folder;
  const LeaseFence fence{folder.path() / "lock", 1};
  EXPECT_NO_THROW(fence.check()) << "nobody has it";
  Lease lease = Lease::acquire(folder.path());
  EXPECT_NO_THROW(fence.check());
  lease.release();
  EXPECT_NO_THROW(fence.check());
  const Lease later = Lease::acquire(folder.path());
  try {
    fence.check();
    FAIL() << "epoch 2 has been taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::busy);
    EXPECT_NE(std::string(error.what()).find("epoch 2"), std::string::npos) << error.what();
  }
}

TEST(Lease, OfAnEarlierVersionHasNoRole) {
  const TemporaryFolder folder;
  { const Lease lease = Lease::acquire(folder.path()); }
  rewrite_lock(folder, ",\"role\":\"\"", "");
  EXPECT_EQ(read_lease(folder.path()).role, "");
}

}  // namespace
}  // namespace marquee::cluster
