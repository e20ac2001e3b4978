// Copies on a host's own disk: made once by whoever comes first, whole or not at all, never removed
// under a user.
#include "cluster/local_stage.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/sha256.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::cluster {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLarge = std::size_t{9} << 20;  // three blocks

void none(std::int64_t, std::int64_t) {}

class LocalStageTest : public testing::Test {
 protected:
  // A set of two files of these sizes, one of them in a folder below; `hashed`: hashes are known.
  StageSet set_of(const std::string& name, std::size_t bytes, bool hashed = false) {
    const fs::path source = folder_.path() / "source" / name;
    fs::create_directories(source / "below");
    StageSet set{name, {}};
    for (const char* file : {"first", "below/second"}) {
      if (!fs::exists(source / file)) {
        std::string content(bytes / 2, name.front());
        content += file;
        std::ofstream(source / file, std::ios::binary) << content;
      }
      set.files.push_back(
          source_file(source / file, file, hashed ? sha256_file(source / file) : ""));
    }
    return set;
  }
  static void expect_whole(const LocalStage::Use& use, const StageSet& set) {
    for (const SourceFile& file : set.files)
      EXPECT_EQ(sha256_file(use.folder() / file.name), sha256_file(file.source)) << file.name;
  }
  StagePlace place(std::int64_t limit = 0) const { return {folder_.path() / "stage", limit}; }
  fs::path root() const { return place().folder / ("marquee-" + std::to_string(geteuid())); }
  fs::path copy_of(const StageSet& set) const { return root() / set.key(); }
  std::size_t parts() const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(root()))
      count += entry.path().filename().string().starts_with(".part-") ? 1 : 0;
    return count;
  }
  TemporaryFolder folder_;
};

// Runs `act` in a process of its own; true when it ended well.
template <typename Act>
pid_t forked(Act act) {
  const pid_t pid = fork();
  if (pid == 0) {
    int code = 1;
    try {
      act();
      code = 0;
    } catch (const std::exception& error) {
      fprintf(stderr, "%s\n", error.what());
    }
    _exit(code);
  }
  return pid;
}

int status_of(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

TEST_F(LocalStageTest, CopiesOnceAndThenUsesTheCopy) {
  const StageSet set = set_of("data", 1000);
  LocalStage stage(place());
  const auto first = stage.use(set, none);
  expect_whole(first, set);
  const auto inode = [&] {
    struct stat status {};
    EXPECT_EQ(stat((first.folder() / "first").c_str(), &status), 0);
    return status.st_ino;
  };
  const auto before = inode();
  LocalStage another(place());
  EXPECT_EQ(another.use(set, none).folder(), first.folder());
  EXPECT_EQ(inode(), before) << "copied again";
  EXPECT_EQ(fs::last_write_time(first.folder() / "first"), fs::last_write_time(set.files[0].source))
      << "caches know shards by their times";
}

TEST_F(LocalStageTest, TellsProgressAndLeavesNothingWhenStopped) {
  const StageSet set = set_of("data", kLarge);
  struct Stop {};
  std::int64_t total = 0;
  EXPECT_THROW(LocalStage(place()).use(set,
                                       [&](std::int64_t, std::int64_t all) {
                                         total = all;
                                         throw Stop{};
                                       }),
               Stop);
  EXPECT_EQ(total, set.bytes());
  EXPECT_EQ(parts(), 0u);
  EXPECT_FALSE(fs::exists(copy_of(set)));
}

TEST_F(LocalStageTest, IsCopiedOnceByProcessesThatComeTogether) {
  const StageSet set = set_of("data", kLarge, true);
  const fs::path witness = folder_.path() / "witness";
  std::vector<pid_t> pids;
  for (int process = 0; process < 4; ++process) {
    pids.push_back(forked([&] {
      bool copied = false;
      const auto use = LocalStage(place()).use(set, [&](std::int64_t done, std::int64_t) {
        // Slow: the others come while it copies. Only the one that copies has moved bytes.
        if (done > 0 && !fs::exists(copy_of(set))) {
          copied = true;
          std::this_thread::sleep_for(std::chrono::milliseconds(300));
        }
      });
      for (const SourceFile& file : set.files) {
        if (sha256_file(use.folder() / file.name) != file.sha256)
          throw std::runtime_error("not whole");
      }
      if (copied) std::ofstream(witness, std::ios::app) << "x";
    }));
  }
  for (const pid_t pid : pids) EXPECT_EQ(status_of(pid), 0);
  EXPECT_EQ(fs::file_size(witness), 1u) << "several processes copied";
}

TEST_F(LocalStageTest, ACopyWhoseMakerWasKilledIsNotUsed) {
  const StageSet set = set_of("data", kLarge);
  const int status = status_of(forked([&] {
    LocalStage(place()).use(set, [](std::int64_t done, std::int64_t) {
      if (done > 0) kill(getpid(), SIGKILL);
    });
  }));
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(parts(), 1u) << "it was killed in the midst of it";
  EXPECT_FALSE(fs::exists(copy_of(set)));
  LocalStage stage(place());
  EXPECT_EQ(parts(), 0u) << "cleared when somebody comes";
  expect_whole(stage.use(set, none), set);
}

TEST_F(LocalStageTest, ADamagedCopyIsMadeAgain) {
  const StageSet set = set_of("data", 1000, true);
  { LocalStage(place()).use(set, none); }
  const fs::path file = copy_of(set) / "files/first";
  const auto time = fs::last_write_time(file);
  const auto expect_made_again = [&](const char* what) {
    SCOPED_TRACE(what);
    expect_whole(LocalStage(place()).use(set, none), set);
  };
  fs::resize_file(file, 3);
  expect_made_again("shorter");
  fs::remove(file);
  expect_made_again("missing");
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary) << "#";
  fs::last_write_time(file, time);
  expect_made_again("another byte, same size and time");
  std::ofstream(copy_of(set) / "entry.json") << R"({"format":1,"boot":"another","bytes":1000})";
  std::ofstream(copy_of(set) / "files/stray") << "";
  expect_made_again("of another boot");
  EXPECT_FALSE(fs::exists(copy_of(set) / "files/stray"));
}

TEST_F(LocalStageTest, ADamagedCopyInUseIsRefusedAndStays) {
  const StageSet set = set_of("data", 1000);
  LocalStage stage(place());
  const auto use = stage.use(set, none);
  fs::resize_file(use.folder() / "first", 3);
  EXPECT_THROW(LocalStage(place()).use(set, none), StageRefused);
  EXPECT_TRUE(fs::exists(use.folder() / "below/second"));
}

TEST_F(LocalStageTest, AnotherSourceIsAnotherCopy) {
  const StageSet set = set_of("data", 1000);
  const auto old = LocalStage(place()).use(set, none);
  const fs::path source = set.files[0].source;
  std::string content = read_file(source, 1 << 20);
  content[0] = '#';
  std::ofstream(source, std::ios::binary) << content;
  const StageSet changed = set_of("data", 1000);
  EXPECT_NE(changed.key(), set.key()) << "same name and size, another time";
  expect_whole(LocalStage(place()).use(changed, none), changed);
  EXPECT_NE(sha256_file(old.folder() / "first"), sha256_file(source)) << "the old one is untouched";
  StageSet other = changed;
  other.identity = "other";
  EXPECT_NE(other.key(), changed.key());
}

TEST_F(LocalStageTest, NamesASourceThatIsNotWhatItShouldBe) {
  const auto refused = [&](const StageSet& set, const std::string& part) {
    try {
      LocalStage(place()).use(set, none);
      ADD_FAILURE() << "accepted; expected '" << part << "'";
    } catch (const StageRefused& error) {
      ADD_FAILURE() << "blames the stage: " << error.what();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::environment);
      EXPECT_NE(std::string(error.what()).find(set.files[0].source.string()), std::string::npos);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
    EXPECT_EQ(parts(), 0u);
    EXPECT_FALSE(fs::exists(copy_of(set)));
  };
  StageSet set = set_of("data", 1000);
  set.files[0].sha256 = sha256_hex("something else");
  refused(set, "SHA-256");
  set = set_of("data", 1000);
  std::ofstream(set.files[0].source, std::ios::app) << "longer";
  refused(set, "changed");
  fs::remove(set.files[0].source);
  refused(set, "cannot be opened");
}

TEST_F(LocalStageTest, MakesRoomOfWhatNobodyUses) {
  const std::int64_t limit = 3500;
  LocalStage stage(place(limit));
  const StageSet a = set_of("a", 1000), b = set_of("b", 1000), c = set_of("c", 1000),
                 d = set_of("d", 1000), huge = set_of("huge", 4000);
  { stage.use(a, none); }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const auto in_use = stage.use(b, none);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  { stage.use(c, none); }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  { stage.use(a, none); }  // so that c is the one that was unused longest
  { stage.use(d, none); }
  EXPECT_FALSE(fs::exists(copy_of(c)));
  EXPECT_FALSE(fs::exists(root() / (c.key() + ".lock")));
  EXPECT_TRUE(fs::exists(copy_of(a)));
  EXPECT_TRUE(fs::exists(copy_of(d)));
  EXPECT_THROW(stage.use(huge, none), StageRefused);
  EXPECT_TRUE(fs::exists(copy_of(a))) << "driven out by what cannot fit";
  EXPECT_TRUE(fs::exists(copy_of(b))) << "removed under its user";
  EXPECT_EQ(parts(), 0u);
  expect_whole(in_use, b);
  expect_whole(stage.use(c, none), c);
}

TEST_F(LocalStageTest, AFullDiskIsRefusedAndLeavesNothing) {
  const fs::path disk = folder_.path() / "disk";
  fs::create_directories(disk);
  if (mount("marquee-test", disk.c_str(), "tmpfs", 0, "size=4m") != 0)
    GTEST_SKIP() << "no tmpfs can be mounted here (root?)";
  const StagePlace small{disk, 0};
  const fs::path own = disk / ("marquee-" + std::to_string(geteuid()));
  const StageSet fitting = set_of("fitting", 1 << 20), large = set_of("large", 5 << 20),
                 deceptive = set_of("deceptive", 2 << 20);
  {
    LocalStage stage(small);
    EXPECT_THROW(stage.use(large, none), StageRefused) << "known before";
    expect_whole(stage.use(fitting, none), fitting);
    // The disk fills up while it is copied.
    std::ofstream filler(disk / "filler");
    bool filled = false;
    EXPECT_THROW(
        {
          const auto in_use = stage.use(fitting, none);
          stage.use(deceptive, [&](std::int64_t, std::int64_t) {
            if (filled) return;
            filled = true;
            filler << std::string(4 << 20, 'x') << std::flush;
          });
        },
        StageRefused);
    EXPECT_TRUE(filled);
    EXPECT_FALSE(fs::exists(own / (".part-" + deceptive.key())));
    EXPECT_FALSE(fs::exists(own / deceptive.key()));
  }
  umount2(disk.c_str(), MNT_DETACH);
}

TEST_F(LocalStageTest, AFolderThatOthersCanOpenIsRefused) {
  fs::create_directories(root());
  fs::permissions(root(), fs::perms::owner_all | fs::perms::group_read);
  EXPECT_THROW(LocalStage{place()}, StageRefused);
  fs::remove_all(root());
  fs::create_directories(folder_.path() / "elsewhere");
  fs::permissions(folder_.path() / "elsewhere", fs::perms::owner_all);
  fs::create_symlink(folder_.path() / "elsewhere", root());
  EXPECT_THROW(LocalStage{place()}, StageRefused);
  EXPECT_THROW((LocalStage{{"/proc/nowhere", 0}}), StageRefused);
}

TEST(StagePlace, IsAFolderWithOrWithoutASize) {
  const auto bytes = [](const char* text) { return parse_stage_place(text).limit_bytes; };
  EXPECT_EQ(parse_stage_place("/scratch/").folder.lexically_normal(), "/scratch/");
  EXPECT_EQ(bytes("/scratch"), 0);
  EXPECT_EQ(bytes("/scratch:2K"), 2048);
  EXPECT_EQ(bytes("/scratch:1.5G"), std::int64_t{3} << 29);
  EXPECT_EQ(bytes("/scratch:200GiB"), std::int64_t{200} << 30);
  EXPECT_EQ(bytes("/scratch:3TB"), std::int64_t{3} << 40);
  EXPECT_TRUE(parse_stage_place("").folder.empty());
  EXPECT_EQ(parse_stage_place("scratch").folder, fs::absolute("scratch"));
  for (const char* text : {"/a:b", ":2G", "/a:", "/a:2", "/a:2g", "/a:2GG", "/a:-2G", "/a:0G",
                           "/a:nanG", "/a:infG", "/a:1e3G", "/a:2G:3G", "/a:99999999999T"}) {
    EXPECT_THROW(parse_stage_place(text), Error) << text;
  }
  for (const char* text : {"", "/scratch", "/scratch:200G", "/scratch:0.333M"}) {
    const StagePlace place = parse_stage_place(text);
    EXPECT_EQ(parse_stage_place(to_text(place)), place) << text << " as " << to_text(place);
  }
}

TEST(StagePlace, ComesFromTheEnvironmentWhereNoneIsNamed) {
  setenv("MARQUEE_STAGE", "/from/environment:1G", 1);
  EXPECT_EQ(find_stage_place("").folder, "/from/environment");
  EXPECT_EQ(find_stage_place("/named").folder, "/named");
  unsetenv("MARQUEE_STAGE");
  EXPECT_TRUE(find_stage_place("").folder.empty());
}

}  // namespace
}  // namespace marquee::cluster
