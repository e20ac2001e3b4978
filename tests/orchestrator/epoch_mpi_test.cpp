// Messages of an older epoch are refused, by the coordinator and by an agent. One MPI world never
// has two epochs, so one side is played here: ranks that outlived their coordinator's lease.
#include <iostream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "analysis/report/query.h"
#include "cluster/durable_file.h"
#include "cluster/host.h"
#include "cluster/lease.h"
#include "cluster/mpi_session.h"
#include "orchestrator/simulated_trainer.h"
#include "orchestrator/sweep/agent.h"
#include "orchestrator/sweep/coordinator.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::orchestrator {
namespace {

cluster::MpiSession* session = nullptr;

constexpr double kForgedValue = 666;
constexpr const char* kSweep = R"(
name: epochs
oracles: false
defaults: {samples: 8}
matrix: {task: [drawn/dsprites_location], shots: [5], method: [none], seed: [0, 1, 2, 3, 4, 5]}
)";

// Next message for this rank; the test ends when none comes.
std::pair<int, std::string> receive() {
  const double give_up = cluster::monotonic_seconds() + 60;
  while (cluster::monotonic_seconds() < give_up) {
    session->progress();
    if (auto message = session->try_receive()) return *message;
    usleep(1000);
  }
  std::cerr << "rank " << session->rank() << ": nothing came\n";
  session->abort(1);
}

experiments::AttemptRecord done_record(const Assignment& assignment) {
  experiments::AttemptRecord record;
  record.run_id = assignment.run_id;
  record.attempt = assignment.attempt;
  record.epoch = assignment.epoch;
  record.status = "done";
  record.started = record.ended = cluster::utc_now();
  record.host = "here";
  record.result = simulated_result(experiments::RunId(assignment.run_id), assignment.run, 0);
  return record;
}

// Done with numbers that no run has.
experiments::AttemptRecord forged_record(const Assignment& assignment) {
  experiments::AttemptRecord record = done_record(assignment);
  for (experiments::MetricValue& metric : record.result->metrics) metric.value = kForgedValue;
  return record;
}

// An agent that reports results of the epoch before, and only then its own.
void be_an_agent_of_two_epochs() {
  session->send(0, to_text(AgentMessage(AgentHello{{"here", {0, 1, 2, 3}, 0}, ""})));
  while (true) {
    const CoordinatorMessage message = parse_coordinator_message(receive().second);
    if (std::holds_alternative<Stop>(message)) return;
    const auto* assignment = std::get_if<Assignment>(&message);
    if (assignment == nullptr) continue;
    AttemptEnded late{assignment->epoch - 1, forged_record(*assignment)};
    session->send(0, to_text(AgentMessage(late)));  // the message is of the older epoch
    late.epoch = assignment->epoch;
    late.record.epoch = assignment->epoch - 1;
    session->send(0, to_text(AgentMessage(late)));  // what it reports is
    late.record.epoch = assignment->epoch;
    late.record.attempt = assignment->attempt + 1;
    session->send(0, to_text(AgentMessage(late)));  // another attempt
    session->send(0,
                  to_text(AgentMessage(AttemptEnded{assignment->epoch, done_record(*assignment)})));
  }
}

TEST(Epochs, TheCoordinatorTakesNothingOfAnOlderOne) {
  if (session->rank() != 0) {
    be_an_agent_of_two_epochs();
    return;
  }
  const cluster::TemporaryFolder folder;
  SweepOptions options;
  options.file = folder.path() / "epochs.yaml";
  options.out = folder.path() / "results";
  options.slots_per_host = 4;
  options.simulate = options.quiet = options.json = true;
  cluster::write_file_durably(options.file, kSweep);
  cluster::create_directories_durably(options.out);
  cluster::Lease::acquire(options.out).release();  // there was an epoch before
  EXPECT_EQ(Coordinator(*session, options).run(), 0);
  EXPECT_EQ(cluster::read_lease(options.out).epoch, 2U);
  const auto answer = [&](const std::string& sql) {
    return analysis::query_text(options.out / "results.sqlite", sql, "csv");
  };
  EXPECT_EQ(answer("SELECT count(*) AS n FROM results WHERE status = 'done' AND attempt = 1"),
            "n\r\n6\r\n");
  EXPECT_EQ(answer("SELECT count(*) AS n FROM metrics WHERE value > 1"), "n\r\n0\r\n");
  EXPECT_EQ(answer("SELECT DISTINCT epoch FROM attempts"), "epoch\r\n2\r\n");
}

TEST(Epochs, AnAgentStartsNothingOfAnOlderOne) {
  if (session->rank() == 1) {
    EXPECT_EQ(Agent(*session).run(), 7);
  }
  if (session->rank() != 0) return;
  const cluster::TemporaryFolder folder;
  const auto tell = [](const CoordinatorMessage& message) { session->send(1, to_text(message)); };
  EXPECT_TRUE(std::holds_alternative<AgentHello>(parse_agent_message(receive().second)));
  experiments::Simulation simulation;
  simulation.files = false;
  cluster::create_directories_durably(folder.path() / "logs");
  tell(Welcome{5, {0, {0}, -1}, folder.path().string(), "", "", simulation, ""});
  experiments::RunConfig run;
  run.task = "drawn/dsprites_location";
  run.shots = "5";
  run.method = "none";
  const std::string id = experiments::run_id(run).text();
  tell(Assignment{4, id, 1, run});
  tell(Assignment{5, id, 2, run});
  while (true) {
    const AgentMessage message = parse_agent_message(receive().second);
    const auto* ended = std::get_if<AttemptEnded>(&message);
    if (ended == nullptr) continue;
    EXPECT_EQ(ended->record.attempt, 2);
    EXPECT_EQ(ended->record.status, "done");
    EXPECT_EQ(ended->epoch, 5U);
    break;
  }
  tell(Stop{7});
}

}  // namespace
}  // namespace marquee::orchestrator

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  marquee::cluster::MpiSession session(argc, argv);
  marquee::orchestrator::session = &session;
  const int failed = RUN_ALL_TESTS();
  if (failed != 0) session.abort(1);
  session.finalize();
  return 0;
}
