// The real coordinator with scripted agents (simulated_cluster.h): sweeps of thousands of runs on a
// hundred slots, with every fault there is, over several worlds.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include "cluster/log.h"
#include "experiments/inbox.h"
#include "orchestrator/sweep/coordinator.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/orchestrator/simulated_cluster.h"
#include "tests/orchestrator/simulated_sweep.h"

namespace marquee::orchestrator {
namespace {

using testing::Contains;
using testing::IsEmpty;

constexpr int kHosts = 13, kSlotsPerHost = 8, kSlots = kHosts * kSlotsPerHost;
constexpr int kSomeFailed = 1;

struct Attempt {
  int number = 0;
  std::uint64_t epoch = 0;
  std::string status, kind, message;
};

struct EnteredRun {
  std::string status;
  std::vector<Attempt> attempts{};
  double value = 0;  // of its first metric: the attempt that counts
};

// Of the ledger, or of what has been published of it.
std::map<std::string, EnteredRun> runs_of(const std::filesystem::path& file) {
  SQLite::Database database(file.string(), SQLite::OPEN_READONLY);
  std::map<std::string, EnteredRun> runs;
  SQLite::Statement run(database, "SELECT run_id, status FROM runs");
  while (run.executeStep()) runs[run.getColumn(0)].status = run.getColumn(1).getString();
  SQLite::Statement attempt(database,
                            "SELECT run_id, attempt, epoch, status, coalesce(cause_kind, ''), "
                            "coalesce(cause_message, '') FROM attempts ORDER BY run_id, attempt");
  while (attempt.executeStep()) {
    runs[attempt.getColumn(0)].attempts.push_back(
        {attempt.getColumn(1), static_cast<std::uint64_t>(attempt.getColumn(2).getInt64()),
         attempt.getColumn(3).getString(), attempt.getColumn(4).getString(),
         attempt.getColumn(5).getString()});
  }
  SQLite::Statement metric(database, "SELECT run_id, value FROM metrics WHERE metric = 'fid_mini'");
  while (metric.executeStep()) runs[metric.getColumn(0)].value = metric.getColumn(1);
  return runs;
}

// Thousands of commits: what a sync is worth is tested elsewhere.
struct FoldersInMemory {
  FoldersInMemory() {
    constexpr const char* kMemory = "/dev/shm";
    if (access(kMemory, W_OK) == 0) setenv("TMPDIR", kMemory, 1);
  }
};

class Simulation : public testing::Test {
 protected:
  Simulation() { cluster::init_log({"", false, "error"}); }

  // Works on the folder's sweep until this world ends; the exit code.
  int work(const SimulatedWorld& world, const std::function<void(SimulatedCluster&)>& plan = {}) {
    SimulatedCluster cluster(world, script_, witness_);
    if (plan) plan(cluster);
    const int code = Coordinator(cluster, options_, cluster).run();
    seconds_ = cluster.seconds();
    EXPECT_THAT(witness_.complaints(), IsEmpty());
    EXPECT_LE(witness_.most_slots(), kSlots);
    return code;
  }

  void expect_kept(const std::map<std::string, EnteredRun>& runs) const;
  void expect_budgets(const std::map<std::string, EnteredRun>& runs) const;
  void expect_all_ended(const std::map<std::string, EnteredRun>& runs,
                        const std::vector<std::string>& cancelled) const;
  // As people do it, by entries of the inbox; the runs.
  std::vector<std::string> cancel_every(std::size_t nth) const;
  std::map<std::string, int> want_again(std::size_t runs);

  const FoldersInMemory in_memory_;
  const cluster::TemporaryFolder folder_;
  SweepOptions options_;
  FaultScript script_;
  Witness witness_;
  double seconds_ = 0;
};

// What an agent has been told to be done is done, with that attempt's numbers.
void Simulation::expect_kept(const std::map<std::string, EnteredRun>& runs) const {
  for (const auto& [id, attempt] : witness_.acknowledged()) {
    EXPECT_EQ(runs.at(id).status, "done") << id;
    EXPECT_EQ(runs.at(id).value, attempt) << id;
  }
}

// Retried by each command as often as the kind of failure allows, neither more nor less.
void Simulation::expect_budgets(const std::map<std::string, EnteredRun>& runs) const {
  for (const auto& [id, run] : runs) {
    int failures = 0;
    for (auto attempt = run.attempts.begin(); attempt != run.attempts.end(); ++attempt) {
      const auto next = std::next(attempt);
      if (attempt->status == "failed") {
        ++failures;
        const int allowed = attempts_allowed(failure_kind(attempt->kind));
        if (next == run.attempts.end()) {
          EXPECT_EQ(failures >= allowed, run.status == "failed") << id;
        } else if (next->epoch == attempt->epoch) {
          EXPECT_LT(failures, allowed) << id << " was tried too often";
        }
      }
      if (next != run.attempts.end() && next->epoch != attempt->epoch) failures = 0;
    }
  }
}

// Done by an attempt that its agent says is done, or set aside with a reason, or by a person.
void Simulation::expect_all_ended(const std::map<std::string, EnteredRun>& runs,
                                  const std::vector<std::string>& cancelled) const {
  for (const auto& [id, run] : runs) {
    if (run.status == "done") {
      EXPECT_EQ(script_.poison_of(id), "") << id;
      ASSERT_TRUE(witness_.done().contains(id)) << id;
      EXPECT_TRUE(witness_.done().at(id).contains(static_cast<int>(run.value))) << id;
    } else if (run.status == "cancelled") {
      EXPECT_THAT(cancelled, Contains(id));
    } else {
      ASSERT_EQ(run.status, "failed") << id;
      ASSERT_FALSE(run.attempts.empty()) << id;
      EXPECT_EQ(run.attempts.back().message, "as the script says") << id;
      const std::string poison = script_.poison_of(id);
      EXPECT_TRUE(poison.empty() || run.attempts.back().kind == poison) << id;
    }
  }
}

std::vector<std::string> Simulation::cancel_every(std::size_t nth) const {
  experiments::InboxEntry entry;
  entry.kind = "cancel";
  const std::vector<experiments::RunConfig> runs = prepare_sweep(options_).sweep.runs;
  for (std::size_t run = 0; run < runs.size(); run += nth)
    entry.runs.push_back(experiments::run_id(runs[run]).text());
  experiments::seal_entry(options_.out, entry);
  return entry.runs;
}

std::map<std::string, int> Simulation::want_again(std::size_t runs) {
  experiments::InboxEntry entry;
  entry.kind = "rerun";
  std::map<std::string, int> wanted;
  for (const auto& [id, attempt] : witness_.acknowledged()) {
    if (wanted.size() == runs) break;
    wanted[id] = attempt;
    entry.runs.push_back(id);
  }
  for (const std::string& run : entry.runs) witness_.note_rerun(run);
  experiments::seal_entry(options_.out, entry);
  return wanted;
}

SimulatedWorld hundred_slots() {
  SimulatedWorld world;
  world.hosts = kHosts;
  world.slots_per_host = kSlotsPerHost;
  return world;
}

TEST_F(Simulation, ThousandsOfRunsSurviveEveryFault) {
  const int seeds = std::getenv("MARQUEE_SOAK") == nullptr ? 3 : 30;
  for (int seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    const cluster::TemporaryFolder folder;
    options_ = simulated_sweep(folder.path(), 3000, kSlotsPerHost);
    script_ = all_faults(static_cast<std::uint64_t>(seed));
    witness_ = {};
    const double least = least_seconds(options_, script_, kSlots);
    const std::filesystem::path ledger = options_.out / "ledger.sqlite",
                                published = options_.out / "results.sqlite";
    // A coordinator that dies, one that is asked to stop, one that loses an agent.
    std::vector<std::string> cancelled;
    SimulatedWorld world = hundred_slots();
    world.dies_at = 0.3 * least;
    world.dies_sending = seed % 2 != 0;
    EXPECT_NE(work(world,
                   [&](SimulatedCluster& cluster) {
                     cluster.at(0.1 * least, [&] { cancelled = cancel_every(100); });
                   }),
              0);
    expect_kept(runs_of(ledger));
    world = hundred_slots();
    world.stop_at = 0.2 * least;
    EXPECT_EQ(work(world), 128 + 15);
    expect_kept(runs_of(published));
    world = hundred_slots();
    world.silent_at = 0.1 * least;
    EXPECT_EQ(work(world), 3);
    expect_kept(runs_of(ledger));
    std::map<std::string, int> again;  // and the attempt that they are done by
    EXPECT_EQ(work(hundred_slots(),
                   [&](SimulatedCluster& cluster) {
                     cluster.at(0.01 * least, [&] { again = want_again(5); });
                   }),
              kSomeFailed);
    const std::map<std::string, EnteredRun> runs = runs_of(published);
    EXPECT_GT(runs.size(), 2900U);
    EXPECT_GT(cancelled.size(), 20U);
    EXPECT_EQ(again.size(), 5U);
    expect_kept(runs);
    expect_budgets(runs);
    expect_all_ended(runs, cancelled);
    for (const auto& [id, attempt] : again) EXPECT_GT(runs.at(id).attempts.back().number, attempt);
  }
}

TEST_F(Simulation, IsTheSameForTheSameSeed) {
  std::vector<std::uint64_t> traces;
  for (const std::uint64_t seed : {7U, 7U, 8U}) {
    const cluster::TemporaryFolder folder;
    options_ = simulated_sweep(folder.path(), 600, kSlotsPerHost);
    script_ = all_faults(seed);
    witness_ = {};
    least_seconds(options_, script_, kSlots);
    work(hundred_slots());
    traces.push_back(witness_.trace());
  }
  EXPECT_EQ(traces[0], traces[1]);
  EXPECT_NE(traces[0], traces[2]);
}

TEST_F(Simulation, AHostWhereEverythingFailsCostsNoRun) {
  options_ = simulated_sweep(folder_.path(), 1000, kSlotsPerHost);
  least_seconds(options_, script_, kSlots);
  SimulatedWorld world = hundred_slots();
  world.broken_host = 5;
  EXPECT_EQ(work(world), 0);
  int failed = 0;
  for (const auto& [id, run] : runs_of(options_.out / "results.sqlite")) {
    EXPECT_EQ(run.status, "done") << id;
    for (const Attempt& attempt : run.attempts) failed += attempt.status == "failed" ? 1 : 0;
  }
  EXPECT_GT(failed, 0);
  EXPECT_LE(failed, 5 * kSlotsPerHost) << "it got work again and again";
}

TEST_F(Simulation, WithoutFaultsEndsNearTheLeastThatIsPossible) {
  options_ = simulated_sweep(folder_.path(), 3000, kSlotsPerHost);
  const double least = least_seconds(options_, script_, kSlots);
  EXPECT_EQ(work(hundred_slots()), 0);
  EXPECT_EQ(witness_.assignments(), runs_of(options_.out / "results.sqlite").size());
  EXPECT_EQ(witness_.most_slots(), kSlots);
  EXPECT_LE(seconds_, 1.08 * least);
  RecordProperty("seconds", std::to_string(seconds_));
  RecordProperty("least", std::to_string(least));
}

}  // namespace
}  // namespace marquee::orchestrator
