#include "orchestrator/slurm/batch_script.h"

#include <fstream>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "cluster/program_output.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::orchestrator {
namespace {

BatchJob small_job() {
  BatchJob job;
  job.name = "marquee-small-0a1b2c3d";
  job.title = "sweep small";
  job.folder = "/data/results/slurm/marquee-small-0a1b2c3d";
  job.arguments = {"sweep", "small.yaml", "--out", "/data/results"};
  return job;
}

std::vector<std::string> directives_of(const BatchJob& job) {
  std::istringstream lines(batch_script(job));
  std::vector<std::string> found;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("#SBATCH ")) found.push_back(line.substr(8));
  return found;
}

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Runs the head of the script, up to what supervises, and prints the command that it would start.
std::vector<std::string> command_of(const BatchJob& job) {
  const cluster::TemporaryFolder folder;
  std::string text = batch_script(job);
  text = text.substr(0, text.find("\nrestarts="));
  std::ofstream(folder.path() / "head.sh") << "SLURM_JOB_NUM_NODES=3\n"
                                           << text << "\nprintf '%s\\n' \"${command[@]}\"\n";
  const cluster::ProgramOutput output =
      cluster::run_program({"bash", (folder.path() / "head.sh").string()}, 10);
  EXPECT_EQ(output.status, (cluster::ExitStatus{0, 0})) << output.err;
  std::istringstream lines(output.out);
  std::vector<std::string> words;
  for (std::string line; std::getline(lines, line);) words.push_back(line);
  return words;
}

TEST(BatchScript, IsAShellScriptWithItsNameLeadAndRequeue) {
  const cluster::TemporaryFolder folder;
  for (const auto launcher :
       {BatchJob::Launcher::mpirun, BatchJob::Launcher::srun, BatchJob::Launcher::array}) {
    BatchJob job = small_job();
    job.launcher = launcher;
    std::ofstream(folder.path() / "job.sh") << batch_script(job);
    const auto checked =
        cluster::run_program({"bash", "-n", (folder.path() / "job.sh").string()}, 10);
    EXPECT_EQ(checked.status, (cluster::ExitStatus{0, 0})) << checked.err;
    const std::vector<std::string> lines = directives_of(job);
    EXPECT_TRUE(contains(lines, "--job-name=marquee-small-0a1b2c3d"));
    EXPECT_TRUE(contains(lines, "--signal=B:USR2@120"));
    EXPECT_TRUE(contains(lines, "--requeue"));
    EXPECT_TRUE(contains(lines, "--open-mode=append"));
  }
}

TEST(BatchScript, StartsACoordinatorAndAnAgentForEachSlot) {
  BatchJob job = small_job();
  job.nodes = 3;
  job.gpus_per_node = "a100:4";
  job.slots_per_node = gpus_in(job.gpus_per_node);
  job.cpus_per_slot = 8;
  const std::vector<std::string> lines = directives_of(job);
  for (const char* line :
       {"--nodes=3", "--ntasks-per-node=4", "--cpus-per-task=8", "--gres=gpu:a100:4"})
    EXPECT_TRUE(contains(lines, line)) << line;
  std::vector<std::string> command = command_of(job);
  EXPECT_EQ(command.front(), "mpirun");
  EXPECT_TRUE(contains(command, "--oversubscribe"));
  EXPECT_TRUE(contains(command, "13")) << "3 x 4 agents and a coordinator";
  EXPECT_FALSE(contains(command, "--allow-run-as-root"));
  EXPECT_EQ(std::vector<std::string>(command.end() - 5, command.end()),
            (std::vector<std::string>{"marquee", "sweep", "small.yaml", "--out", "/data/results"}));
  job.launcher = BatchJob::Launcher::srun;
  command = command_of(job);
  EXPECT_EQ(command.front(), "srun");
  EXPECT_TRUE(contains(command, "--mpi=pmix"));
  EXPECT_TRUE(contains(command, "--ntasks=13"));
  EXPECT_TRUE(contains(command, "--overcommit"));
}

TEST(BatchScript, AnArrayHasElementsWithoutMpi) {
  BatchJob job = small_job();
  job.launcher = BatchJob::Launcher::array;
  job.elements = 8;
  job.at_once = 3;
  job.arguments = {"work", "small.yaml"};
  EXPECT_TRUE(contains(directives_of(job), "--array=1-8%3"));
  EXPECT_EQ(command_of(job), (std::vector<std::string>{"marquee", "work", "small.yaml"}));
}

TEST(BatchScript, RunsInAContainerWithItsGpus) {
  BatchJob job = small_job();
  job.launcher = BatchJob::Launcher::array;
  job.container = "/images/marquee 1.sif";
  job.gpus_per_node = "1";
  job.arguments = {"work", "small.yaml"};
  EXPECT_EQ(command_of(job),
            (std::vector<std::string>{"apptainer", "exec", "--nv", "/images/marquee 1.sif",
                                      "marquee", "work", "small.yaml"}));
}

TEST(BatchScript, NoPathOrWordIsReadAsAnythingElse) {
  const cluster::TemporaryFolder folder;
  const std::string mark = (folder.path() / "mark").string();
  BatchJob job = small_job();
  job.launcher = BatchJob::Launcher::array;
  job.title = "sweep x\ntouch " + mark;
  job.folder = "/data/it's $(touch " + mark + ") `touch " + mark + "`/slurm/x";
  job.arguments = {"work", "$(touch " + mark + ")", "; touch " + mark, "a'b", "--x=\"y\"", "*"};
  const std::vector<std::string> command = command_of(job);
  EXPECT_FALSE(std::filesystem::exists(mark));
  EXPECT_EQ(std::vector<std::string>(command.begin() + 1, command.end()), job.arguments);
}

TEST(BatchScript, RefusesWhatSbatchWouldReadAsSomethingElse) {
  const auto refused = [](const BatchJob& job, const std::string& named) {
    try {
      batch_script(job);
      ADD_FAILURE() << "not refused: " << named;
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
      EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
    }
  };
  for (const std::string value : {"a b", "gpu\n#SBATCH --wrap=id", "x;y", "$(id)", "a#b", "'"}) {
    BatchJob job = small_job();
    job.options = {{"partition", value}};
    refused(job, "--partition");
  }
  for (const std::string option : {"", "-p", "Part", "a b", "x=y"}) {
    BatchJob job = small_job();
    job.options = {{option, "y"}};
    refused(job, "no option of sbatch");
  }
  for (const std::string part : {"50%", "a\"b", "a\nb", "a\\b"}) {
    BatchJob job = small_job();
    job.folder = "/data/" + part;
    refused(job, "results folder");
  }
  BatchJob job = small_job();
  job.modules = {"cuda; id"};
  refused(job, "--module");
}

TEST(BatchScript, CountsGpus) {
  EXPECT_EQ(gpus_in(""), 0);
  EXPECT_EQ(gpus_in("4"), 4);
  EXPECT_EQ(gpus_in("a100:8"), 8);
  for (const char* wrong : {"a100", "0", "-1", "4x", "a100:", "9999", "a b:2"})
    EXPECT_THROW(gpus_in(wrong), cluster::Error) << wrong;
}

}  // namespace
}  // namespace marquee::orchestrator
