// The coordinator after the last run: the last publication, what it tells people, the exit code.
#include <iostream>

#include <nlohmann/json.hpp>

#include "analysis/report/datasette.h"
#include "analysis/report/section_tables.h"
#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/log.h"
#include "experiments/results_folder.h"
#include "orchestrator/sweep/coordinator.h"
#include "orchestrator/sweep/derived_runs.h"

namespace marquee::orchestrator {
namespace {

constexpr const char* kArea = "coordinator";
constexpr int kSomeRunsNotDone = 1;

}  // namespace

int Coordinator::finish() {
  progress_line_.end();
  settle();
  ledger_->begin_batch();
  enter_runs(to_enter_);
  ledger_->commit_batch();
  enter_live(clock_.seconds(), true);
  ledger_->publish();
  cluster::failpoint("coordinator.before_end");
  const ScheduleCounts counts = scheduler_->counts();
  const bool out_of_time = stopping_ == 0 && !gave_up_ && limit_.has_value() && counts.waiting > 0;
  try {
    analysis::write_datasette_metadata(options_.out);
  } catch (const cluster::Error& error) {
    cluster::log_warning(kArea, error.what());  // the results are whole without it
  }
  print_summary(counts, out_of_time);
  if (stopping_ != 0) {
    std::cerr << "marquee: stopped by signal " << stopping_
              << "; the same command goes on from there" << std::endl;
    return 128 + stopping_;
  }
  if (out_of_time) return finish_out_of_time(counts);
  if (counts.failed > 0) {
    std::cerr << "marquee: " << counts.failed << " of " << counts.total
              << " runs failed; marquee query --out " << options_.out.string()
              << " \"SELECT * FROM failures\" tells why" << std::endl;
  }
  if (counts.cancelled > 0) {
    std::cerr << "marquee: " << counts.cancelled << " of " << counts.total
              << " runs are cancelled; marquee rerun takes them up again" << std::endl;
  }
  if (gave_up_)
    std::cerr << "marquee: stopped by --max-fails " << options_.max_fails << "; " << counts.waiting
              << " runs wait; the same command goes on from there" << std::endl;
  if (counts.done < counts.total) return kSomeRunsNotDone;
  return 0;
}

void Coordinator::print_summary(const ScheduleCounts& counts, bool out_of_time) const {
  const std::filesystem::path published = options_.out / experiments::kPublishedFile;
  analysis::RunDifferences differences;
  if (list_.derived()) differences = analysis::load_differences(published, pairs_of(list_));
  if (options_.json) {
    nlohmann::json summary = {{"sweep", sweep_.name},
                              {"total", counts.total},
                              {"done", counts.done},
                              {"failed", counts.failed},
                              {"cancelled", counts.cancelled},
                              {"waiting", counts.waiting},
                              {"seconds", clock_.seconds() - started_},
                              {"results", published.string()},
                              {"stopped_by_signal", stopping_},
                              {"out_of_time", out_of_time}};
    if (list_.derived()) {
      summary["set"] = list_.set;
      summary["differences"] = to_json(differences);
    }
    std::cout << summary.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
              << std::endl;
  } else if (sweep_.name.empty()) {
    std::cout << counts.done << " of " << counts.total << " runs done\n";
    if (list_.derived()) std::cout << "\n" << difference_report(list_, differences);
    std::cout << std::flush;
  } else {
    std::cout << analysis::comparison_text(published, sweep_.name) << std::flush;
  }
}

int Coordinator::finish_out_of_time(const ScheduleCounts& counts) const {
  const std::string waiting =
      std::to_string(counts.waiting) + " of " + std::to_string(counts.total) + " runs wait";
  if (fresh_started_ == 0) {
    std::cerr << "marquee: error: " << limit_->source << " leaves no run the time to reach a "
              << "checkpoint (" << waiting << "): give the sweep more time, or lower "
              << "'checkpoint_interval'" << std::endl;
    return static_cast<int>(cluster::ErrorKind::environment);
  }
  std::cerr << "marquee: out of time (" << limit_->source << "): " << waiting
            << ", what ran is checkpointed; the same command goes on from there" << std::endl;
  return kOutOfTime;
}

}  // namespace marquee::orchestrator
