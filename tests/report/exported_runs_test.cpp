#include "analysis/report/exported_runs.h"

#include <gtest/gtest.h>

#include "analysis/report/query_words.h"
#include "cluster/error.h"
#include "tests/report/finished_runs.h"

namespace marquee::analysis {
namespace {

class ExportedRuns : public FinishedRuns {
 protected:
  std::vector<ExportedRun> runs_with(const std::vector<std::string>& filters) {
    ledger_.publish();
    return finished_runs(folder_.path(), condition_of_filters(file(), filters));
  }
};

TEST_F(ExportedRuns, AreThoseOfTheFiltersEachWithItsNumbers) {
  const experiments::RunConfig first = run_of("dtd", "prompt"), second = run_of("dtd", "prompt", 1),
                               other = run_of("eurosat", "prompt");
  finish(second, {metric_of("fid", 12), metric_of("kid", 0.5)});
  finish(first, {metric_of("fid", 11)});
  finish(other, {metric_of("fid", 13)});
  ledger_.register_run(run_of("dtd", "finetune"));  // not finished
  const std::vector<ExportedRun> runs = runs_with({"task=dtd"});
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].run_id, id_of(first));
  EXPECT_EQ(runs[0].config, first);
  EXPECT_EQ(runs[0].metrics, (std::vector{metric_of("fid", 11)}));
  EXPECT_EQ(runs[1].run_id, id_of(second));
  EXPECT_EQ(runs[1].metrics, (std::vector{metric_of("fid", 12), metric_of("kid", 0.5)}));
  EXPECT_EQ(runs_with({}).size(), 3U);
  EXPECT_TRUE(runs_with({"task=dtd", "seed=7"}).empty());
  EXPECT_THROW(finished_runs(folder_.path(), "no_such_column = 1"), cluster::Error);
}

}  // namespace
}  // namespace marquee::analysis
