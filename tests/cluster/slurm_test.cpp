#include "cluster/slurm.h"

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

TEST(Slurm, ReadsWhatSqueuePrints) {
  const std::vector<SlurmJob> jobs = parse_jobs(
      "17|marquee-a-1|RUNNING|None|node[1-2]|\n"
      "18_3|marquee-a-1|PENDING|Resources||\n"
      "16|marquee-a-1|FAILED|NonZeroExitCode|node1|\n");
  ASSERT_EQ(jobs.size(), 3u);
  EXPECT_EQ(jobs[0], (SlurmJob{"17", "marquee-a-1", "RUNNING", "None", "node[1-2]"}));
  EXPECT_EQ(base_id(jobs[1]), "18");
  EXPECT_TRUE(is_active(jobs[0]) && is_active(jobs[1]));
  EXPECT_FALSE(is_active(jobs[2]));
  EXPECT_TRUE(parse_jobs("").empty());
}

TEST(Slurm, RefusesWhatIsNoListOfJobs) {
  for (const char* text :
       {"slurm_load_jobs error: Unable to contact slurm controller\n", "17|a|RUNNING|\n",
        "x|a|RUNNING|None||\n", "|a|RUNNING|None||\n", "17|a|RUNNING|None||more|x|\n"})
    EXPECT_THROW(parse_jobs(text), Error) << text;
}

TEST(Slurm, KnowsWhatMayStillDoSomething) {
  SlurmJob job;
  for (const char* state : {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED",
                            "SUSPENDED", "REQUEUE_HOLD", "SPECIAL_EXIT", "SOMETHING_NEW"}) {
    job.state = state;
    EXPECT_TRUE(is_active(job)) << state;
  }
  for (const char* state : {"COMPLETED", "FAILED", "TIMEOUT", "NODE_FAIL", "CANCELLED", "PREEMPTED",
                            "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"}) {
    job.state = state;
    EXPECT_FALSE(is_active(job)) << state;
  }
}

TEST(Slurm, KnowsWhatIsHeld) {
  SlurmJob job;
  job.state = "PENDING";
  for (const char* reason : {"JobHeldUser", "JobHeldAdmin", "launch failed requeued held"}) {
    job.reason = reason;
    EXPECT_TRUE(is_held(job)) << reason;
  }
  for (const char* reason : {"Resources", "Priority", "None", "BeginTime"}) {
    job.reason = reason;
    EXPECT_FALSE(is_held(job)) << reason;
  }
  job.reason = "JobHeldUser";
  job.state = "RUNNING";
  EXPECT_FALSE(is_held(job));
}

TEST(Slurm, NamesAndNumbersAreWhatTheySay) {
  EXPECT_TRUE(is_job_name("marquee-vtab_1k.x-0a1b2c3d"));
  for (const char* name : {"", "-x", ".x", "a b", "a'b", "a/b", "a\n", "ä"})
    EXPECT_FALSE(is_job_name(name)) << name;
  EXPECT_FALSE(is_job_name(std::string(129, 'a')));
  EXPECT_TRUE(is_job_id("17"));
  for (const char* id : {"", "17_3", "1;2", "-1", "1234567890123"}) EXPECT_FALSE(is_job_id(id));
}

}  // namespace
}  // namespace marquee::cluster
