#include "orchestrator/run_list.h"

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::orchestrator {
namespace {

TEST(RunList, KeepsEveryKeyOfItsRuns) {
  const cluster::TemporaryFolder folder;
  experiments::RunConfig run;
  run.task = "eurosat";
  run.shots = "5";
  run.method = "prompt";
  run.data_hash = std::string(64, 'd');
  run.checkpoint_interval = 7;
  write_run_list(folder.path() / "list.json", {run});
  const experiments::SweepFile sweep = read_run_list(folder.path() / "list.json");
  EXPECT_EQ(sweep.runs, std::vector<experiments::RunConfig>{run});
  EXPECT_TRUE(sweep.name.empty());
}

TEST(RunList, NamesAFileThatIsNone) {
  const cluster::TemporaryFolder folder;
  for (const char* text : {"", "[]", "{\"runs\": 3}", "{\"runs\": [{\"task\": 1}]}"}) {
    cluster::write_file_durably(folder.path() / "list.json", text);
    EXPECT_THROW(read_run_list(folder.path() / "list.json"), cluster::Error) << text;
  }
}

}  // namespace
}  // namespace marquee::orchestrator
