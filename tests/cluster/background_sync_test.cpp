#include "cluster/background_sync.h"

#include <fstream>

#include <gtest/gtest.h>
#include <poll.h>

#include "cluster/error.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::cluster {
namespace {

TEST(BackgroundSync, TellsWhenItHasEnded) {
  const TemporaryFolder folder;
  std::ofstream file(folder.path() / "log");
  BackgroundSync sync(folder.path() / "log");
  EXPECT_FALSE(sync.started());
  EXPECT_FALSE(sync.ready());
  for (int i = 0; i < 20; ++i) {
    file << "line " << i << std::endl;
    sync.start();
    EXPECT_TRUE(sync.started());
    pollfd waiting{sync.fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&waiting, 1, 60'000), 1);
    EXPECT_TRUE(sync.ready());
    sync.finish();
    EXPECT_FALSE(sync.started());
    EXPECT_FALSE(sync.ready());
  }
}

TEST(BackgroundSync, IsWaitedForWhenItsOwnerGoes) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "log") << "text";
  BackgroundSync first(folder.path() / "log");
  first.start();
  BackgroundSync second(std::move(first));
  EXPECT_TRUE(second.started());
}

TEST(BackgroundSync, ThrowsWhatTheSyncSaid) {
  BackgroundSync sync("/dev/null");  // cannot be synced
  sync.start();
  try {
    sync.finish();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("/dev/null: cannot be synced"), std::string::npos)
        << error.what();
  }
}

TEST(BackgroundSync, NeedsAFileAndOneSyncAtATime) {
  const TemporaryFolder folder;
  EXPECT_THROW(BackgroundSync(folder.path() / "none"), Error);
  std::ofstream(folder.path() / "log") << "text";
  BackgroundSync sync(folder.path() / "log");
  EXPECT_THROW(sync.finish(), Error);
  sync.start();
  EXPECT_THROW(sync.start(), Error);
  sync.finish();
}

}  // namespace
}  // namespace marquee::cluster
