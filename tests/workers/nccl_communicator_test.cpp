// The life of a gang over NCCL, with a fake of NCCL (tests/fake_nccl) whose ranks are threads: sums
// have the bits of the tree, and whatever fails wherever, every rank hears of it in time, gives its
// communicator up once and for all, and a gang with a new id goes on.
#include "workers/gang/nccl_communicator.h"

#include <cstdlib>
#include <thread>

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/error.h"
#include "cluster/host.h"
#include "workers/gang/host_stream.h"
#include "workers/tuning/gradient_tree.h"

namespace marquee::workers {
namespace {

constexpr double kShort = 0.3;   // seconds, where something is to fail
constexpr double kLong = 30.0;   // where nothing is
constexpr double kSlack = 10.0;  // of a machine with other things to do

class NcclGang : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const char* folder = std::getenv("MARQUEE_BIN");
    if (folder == nullptr) return;
    const std::string name = std::string(folder) + "/libfake_nccl.so";
    library_ = std::make_unique<NcclLibrary>(NcclLibrary::open(name));
    void* fake = dlopen(name.c_str(), RTLD_NOW);
    script_ = reinterpret_cast<void (*)(const char*)>(dlsym(fake, "fake_nccl_script"));
    calls_ = reinterpret_cast<int (*)(int, const char*)>(dlsym(fake, "fake_nccl_calls"));
  }
  void SetUp() override {
    if (library_ == nullptr) GTEST_SKIP() << "MARQUEE_BIN does not say where the fake NCCL is";
    script_("");
  }
  static std::unique_ptr<NcclCommunicator> join(const NcclId& id, int rank, int size,
                                                const NcclWaiting& waiting) {
    return std::make_unique<NcclCommunicator>(*library_, std::make_unique<HostStream>(), id, rank,
                                              size, waiting);
  }
  // `life` of each rank in a thread of its own; what they threw.
  static std::vector<std::string> live(int size, const std::function<void(int rank)>& life) {
    std::vector<std::string> errors(static_cast<std::size_t>(size));
    std::vector<std::thread> ranks;
    for (int rank = 0; rank < size; ++rank) {
      ranks.emplace_back([&, rank] {
        try {
          life(rank);
        } catch (const std::exception& error) {
          errors[static_cast<std::size_t>(rank)] = error.what();
        }
      });
    }
    for (std::thread& rank : ranks) rank.join();
    return errors;
  }
  static Tensor numbers_of(int rank, std::int64_t count) {
    torch::Generator own = at::detail::createCPUGenerator(static_cast<std::uint64_t>(rank + 1));
    return torch::randn({count}, own) * std::pow(10.0, rank % 3);
  }
  static Tensor sum_of(int size, std::int64_t count) {
    std::vector<Tensor> parts;
    for (int rank = 0; rank < size; ++rank) parts.push_back(numbers_of(rank, count));
    return tree_sum(std::move(parts));
  }

  static std::unique_ptr<NcclLibrary> library_;
  static void (*script_)(const char*);
  static int (*calls_)(int rank, const char* point);
};
std::unique_ptr<NcclLibrary> NcclGang::library_;
void (*NcclGang::script_)(const char*) = nullptr;
int (*NcclGang::calls_)(int, const char*) = nullptr;

TEST_F(NcclGang, SumsHaveTheBitsOfTheTreeOnEveryRank) {
  for (const int size : {1, 2, 4, 8}) {
    const NcclId id = NcclCommunicator::make_id(*library_);
    const auto errors = live(size, [&](int rank) {
      const auto gang = join(id, rank, size, {});
      // Several on their way at a time, taken in another order.
      std::vector<std::unique_ptr<PendingSum>> sums;
      const std::vector<std::int64_t> counts{1, 23, 1000, 4096};
      for (const std::int64_t count : counts)
        sums.push_back(gang->start_sum(numbers_of(rank, count)));
      for (std::size_t i = counts.size(); i-- > 0;)
        EXPECT_TRUE(sums[i]->result().equal(sum_of(size, counts[i]))) << size << " " << counts[i];
      EXPECT_TRUE(gang->sum(numbers_of(rank, 6).view({2, 3})).equal(sum_of(size, 6).view({2, 3})));
      EXPECT_EQ(any_rank(*gang, rank == size - 1), true);
      EXPECT_EQ(any_rank(*gang, false), false);
      gang->settle();
    });
    EXPECT_THAT(errors, testing::Each(""));
    for (int rank = 0; rank < size; ++rank) {
      EXPECT_EQ(calls_(rank, "destroy"), 1);
      EXPECT_EQ(calls_(rank, "abort") + calls_(rank, "misuse"), 0);
    }
    script_("");
  }
}

TEST_F(NcclGang, SlownessIsNoFailure) {
  script_(
      "0:init:1:late,1:init:1:late,2:group_end:0:slow,0:all_gather:2:slow,3:all_gather:1:late,"
      "1:group_end:2:late,1:finalize:1:slow");
  const NcclId id = NcclCommunicator::make_id(*library_);
  const auto errors = live(4, [&](int rank) {
    const auto gang = join(id, rank, 4, {});
    gang->be_patient_for(kLong);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(gang->sum(numbers_of(rank, 100)).equal(sum_of(4, 100)));
  });
  EXPECT_THAT(errors, testing::Each(""));
}

// A point of the script and whether the rank that it strikes must fail there.
struct Failure {
  const char* what;
  bool while_leaving = false;
};
void PrintTo(const Failure& failure, std::ostream* out) {
  *out << failure.what;
}

class NcclFailure : public NcclGang, public testing::WithParamInterface<Failure> {};

TEST_P(NcclFailure, EndsTheGangEverywhereAndANewOneGoesOn) {
  for (const int size : {2, 4}) {
    for (const int struck : {0, size - 1}) {
      SCOPED_TRACE(std::to_string(struck) + " of " + std::to_string(size));
      script_((std::to_string(struck) + ":" + GetParam().what).c_str());
      const NcclId id = NcclCommunicator::make_id(*library_);
      std::atomic<int> made = 0, unusable = 0;
      const double began = cluster::monotonic_seconds();
      const auto errors = live(size, [&](int rank) {
        NcclWaiting waiting;
        waiting.join_seconds = waiting.leave_seconds = kShort;
        const auto gang = join(id, rank, size, waiting);
        ++made;
        gang->be_patient_for(kShort);
        try {
          for (int i = 0; i < 3; ++i)
            EXPECT_TRUE(gang->sum(numbers_of(rank, 50)).equal(sum_of(size, 50)));
        } catch (const cluster::Error& error) {
          EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
          EXPECT_FALSE(gang->usable());
          ++unusable;
          // It stays broken, and says so.
          EXPECT_THROW(gang->sum(numbers_of(rank, 50)), cluster::Error);
          EXPECT_THROW(gang->settle(), cluster::Error);
          throw;
        }
      });
      EXPECT_LT(cluster::monotonic_seconds() - began, 4 * kShort + kSlack);
      if (GetParam().while_leaving) {
        EXPECT_THAT(errors, testing::Each(""));
      } else {
        EXPECT_THAT(errors, testing::Each(testing::HasSubstr("NCCL: ")));
      }
      for (int rank = 0; rank < size; ++rank) {
        EXPECT_EQ(calls_(rank, "misuse"), 0) << rank;
        EXPECT_LE(calls_(rank, "abort"), 1) << rank;
        // Every communicator there was has been ended, one way or the other.
        const bool none = std::string(GetParam().what) == "init:1:error" && rank == struck;
        EXPECT_EQ(calls_(rank, "abort") + calls_(rank, "destroy"), none ? 0 : 1) << rank;
      }

      script_("");
      const NcclId next = NcclCommunicator::make_id(*library_);
      EXPECT_NE(hex_of(next), hex_of(id));
      const auto again = live(size, [&](int rank) {
        const auto gang = join(next, rank, size, {});
        EXPECT_TRUE(gang->sum(numbers_of(rank, 50)).equal(sum_of(size, 50)));
      });
      EXPECT_THAT(again, testing::Each(""));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    EveryPoint, NcclFailure,
    testing::Values(Failure{"init:1:error"}, Failure{"init:1:remote"}, Failure{"init:1:hang"},
                    Failure{"send:1:error"}, Failure{"recv:2:error"}, Failure{"group_end:1:error"},
                    Failure{"group_end:2:remote"}, Failure{"group_end:3:hang"},
                    Failure{"group_end:2:stuck"}, Failure{"all_gather:2:error"},
                    Failure{"all_gather:1:remote"}, Failure{"all_gather:3:hang"},
                    Failure{"all_gather:2:stuck"}, Failure{"async_error:1:error"},
                    Failure{"finalize:1:error", true}, Failure{"finalize:1:hang", true},
                    Failure{"finalize:1:remote", true}, Failure{"destroy:1:error", true}),
    [](const testing::TestParamInfo<Failure>& point) {
      std::string name = point.param.what;
      std::replace(name.begin(), name.end(), ':', '_');
      return name;
    });

TEST_F(NcclGang, AMemberThatNeverComesIsSilent) {
  const NcclId id = NcclCommunicator::make_id(*library_);
  NcclWaiting waiting;
  waiting.join_seconds = kShort;
  const auto errors = live(1, [&](int rank) { join(id, rank, 2, waiting); });
  EXPECT_THAT(errors[0],
              testing::HasSubstr("joining the gang: a rank of the gang has been silent"));
  EXPECT_EQ(calls_(0, "abort"), 1);
}

TEST_F(NcclGang, WhatIsHeardMeanwhileEndsTheWaiting) {
  script_("1:group_end:1:stuck");
  const NcclId id = NcclCommunicator::make_id(*library_);
  std::atomic<int> looks = 0;
  const double began = cluster::monotonic_seconds();
  const auto errors = live(2, [&](int rank) {
    NcclWaiting waiting;
    std::atomic<bool> joined = false;
    waiting.watch = [&] {
      if (joined && ++looks > 20) throw GangBroken("rank 1 was killed");
    };
    const auto gang = join(id, rank, 2, waiting);
    joined = true;
    EXPECT_THROW(gang->sum(numbers_of(rank, 5)), GangBroken);
    EXPECT_FALSE(gang->usable());
  });
  EXPECT_THAT(errors, testing::Each(""));
  EXPECT_LT(cluster::monotonic_seconds() - began, kSlack);
  EXPECT_EQ(calls_(0, "abort") + calls_(1, "abort"), 2);
}

TEST_F(NcclGang, AKnownDeathIsTheCauseAndNotWhatNcclSays) {
  script_("0:group_end:1:remote");
  const NcclId id = NcclCommunicator::make_id(*library_);
  const auto errors = live(2, [&](int rank) {
    NcclWaiting waiting;
    waiting.before_blame = [] { throw GangBroken("rank 1 was killed"); };
    const auto gang = join(id, rank, 2, waiting);
    gang->be_patient_for(kShort);
    EXPECT_THROW(gang->sum(numbers_of(rank, 5)), GangBroken);
  });
  EXPECT_THAT(errors, testing::Each(""));
}

TEST_F(NcclGang, WhoLeavesInTheMiddleAborts) {
  const NcclId id = NcclCommunicator::make_id(*library_);
  const auto errors = live(2, [&](int rank) {
    const auto gang = join(id, rank, 2, {});
    gang->be_patient_for(kShort);
    if (rank == 1) throw std::runtime_error("no space left");
    gang->sum(numbers_of(rank, 5));
  });
  EXPECT_THAT(errors[0], testing::HasSubstr("silent"));
  EXPECT_EQ(errors[1], "no space left");
  EXPECT_EQ(calls_(1, "finalize"), 0);
  EXPECT_EQ(calls_(1, "abort"), 1);
}

TEST(NcclLibrary, SaysWhatIsMissing) {
  const auto reason = [](const std::string& name) -> std::string {
    try {
      NcclLibrary::open(name);
    } catch (const cluster::Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(reason("libno_such_nccl.so.2"), testing::HasSubstr("MARQUEE_NCCL"));
  EXPECT_THAT(reason("libm.so.6"), testing::HasSubstr("lacks ncclGetVersion"));
  EXPECT_EQ(nccl_version_text(22809), "2.28.9");
}

TEST(NcclLibrary, TheRealOneHasWhatIsUsed) {
  void* there = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (there == nullptr) GTEST_SKIP() << "no libnccl.so.2 here: " << dlerror();
  EXPECT_GE(NcclLibrary::open("libnccl.so.2").version, nccl::kOldestVersion);
}

TEST(NcclId, TravelsAsText) {
  NcclId id;
  for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<std::byte>(7 * i);
  EXPECT_EQ(nccl_id_of(hex_of(id)), id);
  EXPECT_THROW(nccl_id_of(hex_of(id).substr(2)), cluster::Error);
  EXPECT_THROW(nccl_id_of("zz" + hex_of(id).substr(2)), cluster::Error);
}

}  // namespace
}  // namespace marquee::workers
