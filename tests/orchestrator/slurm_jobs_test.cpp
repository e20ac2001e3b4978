#include "orchestrator/slurm/slurm_jobs.h"

#include <fstream>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "orchestrator/slurm/slurm_submit.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
using cluster::SlurmJob;
using State = JobStanding::State;

SubmittedJob job_of(const std::string& launcher = "mpirun", int elements = 1) {
  return {"marquee-x-1", "sweep x", launcher, elements, "2026-01-01T00:00:00.000Z",
          "login",       "17",      1};
}

SlurmJob slurm(const std::string& id, const std::string& state,
               const std::string& reason = "None") {
  SlurmJob job;
  job.id = id;
  job.name = "marquee-x-1";
  job.state = state;
  job.reason = reason;
  job.nodes = state == "RUNNING" ? "node" + id : "";
  return job;
}

State state_of(const JobTraces& traces, const std::vector<SlurmJob>& jobs,
               const SubmittedJob& job = job_of()) {
  return standing_of(job, traces, jobs).state;
}

TEST(SlurmJobs, StandAsSlurmSaysWhileTheyAreInItsQueue) {
  EXPECT_EQ(state_of({}, {slurm("17", "PENDING", "Resources")}), State::waiting);
  EXPECT_EQ(state_of({}, {slurm("17", "RUNNING")}), State::running);
  EXPECT_EQ(state_of({}, {slurm("17", "COMPLETING")}), State::running);
  const JobStanding held = standing_of(job_of(), {}, {slurm("17", "PENDING", "JobHeldAdmin")});
  EXPECT_EQ(held.state, State::held);
  EXPECT_EQ(held.held_ids, std::vector<std::string>{"17"});
  EXPECT_NE(held.text.find("scontrol release 17"), std::string::npos) << held.text;
  // Whatever an earlier start has left.
  JobTraces traces;
  traces.started = {{"17", 0}};
  traces.ended = {{"17", 0, 143}};
  EXPECT_EQ(state_of(traces, {slurm("17", "PENDING", "BeginTime")}), State::waiting);
}

TEST(SlurmJobs, OfWhoseEndSlurmHasNotHeardAreNamed) {
  JobTraces traces;
  traces.started = {{"17", 0}, {"17", 1}};
  traces.ended = {{"17", 0, 143}};
  const JobStanding running = standing_of(job_of(), traces, {slurm("17", "RUNNING")});
  EXPECT_EQ(running.exit_code, -1);
  EXPECT_EQ(running.text.find("scancel"), std::string::npos) << running.text;
  traces.ended.push_back({"17", 1, 0});
  const JobStanding ghost = standing_of(job_of(), traces, {slurm("17", "RUNNING")});
  EXPECT_EQ(ghost.state, State::running) << "Slurm may be about to hear of it";
  EXPECT_EQ(ghost.exit_code, 0);
  EXPECT_NE(ghost.text.find("scancel 17"), std::string::npos) << ghost.text;
  EXPECT_EQ(standing_of(job_of(), traces, {slurm("18", "RUNNING")}).exit_code, -1);
}

TEST(SlurmJobs, AreLostWhenSlurmHasForgottenThem) {
  const JobStanding lost = standing_of(job_of(), {}, {});
  EXPECT_EQ(lost.state, State::lost);
  EXPECT_TRUE(is_over(lost));
  JobTraces traces;
  traces.started = {{"17", 0}};
  EXPECT_EQ(state_of(traces, {}), State::vanished);
  traces.ended = {{"17", 0, 0}};
  EXPECT_EQ(state_of(traces, {}), State::ended);
  traces.started.emplace_back("17", 1);
  EXPECT_EQ(state_of(traces, {}), State::vanished) << "a later start told no end";
}

TEST(SlurmJobs, ThatSlurmRunsTwiceAreNamedTheFirstFirst) {
  const JobStanding twice =
      standing_of(job_of(), {}, {slurm("117", "PENDING"), slurm("18", "RUNNING")});
  EXPECT_EQ(twice.active_ids, (std::vector<std::string>{"18", "117"}));
  EXPECT_NE(twice.text.find("cancels all but the first"), std::string::npos);
}

TEST(SlurmJobs, EndWithTheCodeOfTheirLastStart) {
  JobTraces traces;
  traces.started = {{"17", 0}, {"17", 1}};
  traces.ended = {{"17", 0, 143}, {"17", 1, 1}};
  const JobStanding ended = standing_of(job_of(), traces, {slurm("17", "FAILED")});
  EXPECT_EQ(ended.state, State::ended);
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_EQ(state_of({}, {slurm("17", "NODE_FAIL")}), State::ended);
  EXPECT_NE(standing_of(job_of(), {}, {slurm("17", "NODE_FAIL")}).text.find("node_fail"),
            std::string::npos);
  EXPECT_EQ(state_of({}, {slurm("17", "CANCELLED")}), State::cancelled);
  traces.cancelled = true;
  EXPECT_EQ(state_of(traces, {}), State::cancelled);
}

TEST(SlurmJobs, EndAsTheLastSubmissionDid) {
  JobTraces traces;  // 16 was forgotten, and ran all the same
  traces.started = {{"16", 0}, {"17", 0}};
  traces.ended = {{"16", 0, 3}, {"17", 0, 0}};
  EXPECT_EQ(standing_of(job_of(), traces, {}).exit_code, 0);
  traces.ended = {{"17", 0, 0}};
  EXPECT_EQ(standing_of(job_of(), traces, {}).exit_code, 0) << "16 was killed";
  traces.started = {{"16", 0}};
  traces.ended = {{"16", 0, 0}};
  EXPECT_EQ(state_of(traces, {}), State::lost) << "17 never started";
  const SubmittedJob array = job_of("array", 2);
  traces.started = {{"9", 0}, {"16", 0}, {"17", 0}, {"18", 0}};
  traces.ended = {{"9", 0, 1}, {"16", 0, 3}, {"17", 0, 0}, {"18", 0, 0}};
  EXPECT_EQ(standing_of(array, traces, {}).exit_code, 0);
}

TEST(SlurmJobs, ElementsOfAnArrayCountTogether) {
  const SubmittedJob array = job_of("array", 3);
  const JobStanding running = standing_of(
      array, {}, {slurm("17_1", "RUNNING"), slurm("17_2", "RUNNING"), slurm("17_3", "PENDING")});
  EXPECT_EQ(running.state, State::running);
  EXPECT_EQ(running.active_ids, std::vector<std::string>{"17"});
  EXPECT_NE(running.text.find("1 pending, 2 running"), std::string::npos) << running.text;
  JobTraces traces;
  traces.started = {{"18", 0}, {"19", 0}, {"20", 0}};
  traces.ended = {{"18", 0, 0}, {"19", 0, 1}, {"20", 0, 0}};
  const JobStanding ended = standing_of(array, traces, {});
  EXPECT_EQ(ended.state, State::ended);
  EXPECT_EQ(ended.exit_code, 1) << "the worst";
  traces.started.pop_back();
  traces.ended.pop_back();
  EXPECT_EQ(standing_of(array, traces, {}).state, State::vanished) << "one told nothing";
}

TEST(SlurmJobs, TracesAreWhatTheScriptWrites) {
  const cluster::TemporaryFolder folder;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder.path() / name) << text;
  };
  write("started-17-0", "node1\n");
  write("started-17-2", "node2\n");
  write("ended-17-0", "143\n");
  write("ended-17-1", "not a code\n");
  write("ended-17-2", "9999\n");
  write("ended-17-3", std::string(1000, '1'));
  write("started-x-0", "");
  write("started-17-", "");
  write("log-17.txt", "text");
  const JobTraces traces = read_traces(folder.path());
  EXPECT_EQ(traces.started, (std::vector<std::pair<std::string, int>>{{"17", 0}, {"17", 2}}));
  ASSERT_EQ(traces.ended.size(), 1u);
  EXPECT_EQ(traces.ended[0].code, 143);
  EXPECT_FALSE(traces.cancelled);
  write("cancelled", "");
  EXPECT_TRUE(read_traces(folder.path()).cancelled);
}

TEST(SlurmJobs, RecordsComeBackAndBrokenOnesAreRefusedByName) {
  const cluster::TemporaryFolder folder;
  write_job(folder.path(), job_of("array", 5));
  const SubmittedJob read = read_job(folder.path(), "marquee-x-1");
  EXPECT_EQ(read.elements, 5);
  EXPECT_EQ(read.job_id, "17");
  const fs::path file = job_folder(folder.path(), "marquee-x-1") / "job.json";
  std::ifstream in(file);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  const auto with = [&](const std::string& old, const std::string& text) {
    std::string changed = good;
    changed.replace(changed.find(old), old.size(), text);
    return changed;
  };
  for (const std::string& text :
       {std::string("{"), std::string("[]"), with("marquee-x-1", "marquee-y-1"),
        with("\"17\"", "\"17; rm -rf /\""), with("\"elements\": 5", "\"elements\": 0"),
        with("\"marquee_slurm\": 1", "\"marquee_slurm\": 2"), with("\"array\"", "7")}) {
    std::ofstream(file, std::ios::trunc) << text;
    try {
      read_job(folder.path(), "marquee-x-1");
      ADD_FAILURE() << "taken: " << text;
    } catch (const cluster::Error& error) {
      EXPECT_NE(std::string(error.what()).find("job.json"), std::string::npos) << error.what();
    }
  }
  EXPECT_TRUE(read_jobs(folder.path()).empty());
}

TEST(SlurmJobs, TheNameIsTheSameForTheSameWorkAlone) {
  const std::string name = job_name("/data/a", "vtab", "file\n");
  EXPECT_TRUE(cluster::is_job_name(name));
  EXPECT_EQ(name, job_name("/data/a", "vtab", "file\n"));
  EXPECT_NE(name, job_name("/data/b", "vtab", "file\n"));
  EXPECT_NE(name, job_name("/data/a", "vtab", "other\n"));
  EXPECT_TRUE(cluster::is_job_name(job_name("/data/a", std::string(100, 'x'), "")));
}

}  // namespace
}  // namespace marquee::orchestrator
