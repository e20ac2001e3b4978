#include "cluster/failpoint.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::cluster {
namespace {

// The variables are read once in a process: each case runs in a child, before (DeathTest) other
// tests of this process come past a failpoint.
void choose(const char* failpoint, const std::string& once = "") {
  setenv("MARQUEE_FAILPOINT", failpoint, 1);
  setenv("MARQUEE_FAILPOINT_ONCE", once.c_str(), 1);
}

TEST(FailpointDeathTest, KillsAtTheChosenPassOfTheChosenPlace) {
  EXPECT_EXIT(
      {
        choose("file.synced:2");
        failpoint("file.synced");
        failpoint("file.written");
        failpoint("file.written");
        std::fputs("one pass survived", stderr);
        failpoint("file.synced");
        std::_Exit(0);
      },
      testing::KilledBySignal(SIGKILL), "one pass survived");
}

TEST(FailpointDeathTest, KillsTheFirstProcessAlone) {
  const TemporaryFolder folder;
  const std::string once = folder.path() / "once";
  const auto pass = [&] {
    choose("file.synced", once);
    failpoint("file.synced");
    std::_Exit(0);
  };
  EXPECT_EXIT(pass(), testing::KilledBySignal(SIGKILL), "");
  EXPECT_TRUE(std::filesystem::exists(once));
  EXPECT_EXIT(pass(), testing::ExitedWithCode(0), "");
}

TEST(FailpointDeathTest, RefusesAPlaceThatDoesNotExist) {
  for (const char* value : {"file.sinked", "file.synced:0", "file.synced:x", "file.synced:"}) {
    EXPECT_EXIT(
        {
          choose(value);
          try {
            failpoint("file.synced");
          } catch (const Error& error) {
            std::fputs(error.what(), stderr);
            std::_Exit(exit_code_of(error));
          }
        },
        testing::ExitedWithCode(2), "expected NAME or NAME:N with one of .*file.synced")
        << value;
  }
}

TEST(FailpointDeathTest, ListsThePlacesThatTheSourcesHave) {
  std::set<std::string> in_sources;
  const std::regex call("failpoint\\(\"([^\"]+)\"\\)");
  for (const char* folder : {"cluster", "experiments", "orchestrator", "workers"}) {
    const auto root = std::filesystem::path(MARQUEE_SOURCE_DIR) / folder;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (entry.path().extension() != ".cpp") continue;
      const std::string text = read_file(entry.path(), std::uintmax_t{1} << 20);
      for (std::sregex_iterator it(text.begin(), text.end(), call), end; it != end; ++it)
        in_sources.insert((*it)[1]);
    }
  }
  const std::set<std::string> listed(failpoint_names().begin(), failpoint_names().end());
  EXPECT_EQ(listed.size(), failpoint_names().size());
  EXPECT_EQ(listed, in_sources);
}

}  // namespace
}  // namespace marquee::cluster
