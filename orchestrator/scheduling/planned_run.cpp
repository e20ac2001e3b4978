#include "orchestrator/scheduling/planned_run.h"

#include <functional>
#include <string_view>

#include "cluster/hash_words.h"
#include "datasets/shots.h"
#include "experiments/run_time_model.h"

namespace marquee::orchestrator {
namespace {

std::uint64_t hash_of_text(std::string_view text) {
  return std::hash<std::string_view>()(text);
}

// The tokens of a task's training images lie in one file for each way of reading them (see
// workers/tuning/token_cache.h).
std::uint64_t token_file_of(const experiments::RunConfig& run) {
  return cluster::hash_words(
      {hash_of_text(run.base_hash), hash_of_text(run.data_hash), hash_of_text(run.task),
       hash_of_text(datasets::split_for_shots(run.shots)), hash_of_text(run.decode),
       hash_of_text(run.on_bad_record), static_cast<std::uint64_t>(run.crops),
       static_cast<std::uint64_t>(run.flip)});
}

}  // namespace

PlannedRun plan_run(const experiments::RunConfig& run, std::size_t position) {
  PlannedRun planned;
  planned.run_id = experiments::run_id(run).text();
  planned.oracle = experiments::is_oracle(run);
  planned.cost = experiments::expected_cost(run);
  planned.position = position;
  planned.slots = experiments::gang_size(run);
  planned.priority = run.priority;
  planned.need.kind = run.slot_kind;
  planned.need.memory_gib = run.slot_memory;
  planned.kind = cluster::hash_words({experiments::hash_but_for_seed(run),
                                      static_cast<std::uint64_t>(planned.slots),
                                      static_cast<std::uint64_t>(run.checkpoint_interval)});
  planned.wants = {cluster::hash_words({hash_of_text(run.base_hash), hash_of_text(run.base)}),
                   cluster::hash_words({hash_of_text(run.task)})};
  if (experiments::trains(run)) {
    planned.token_file = token_file_of(run);
    // Few-shot sets of one seed hold each other, but not those of another seed.
    const bool few = datasets::shots_per_class(run.shots) > 0;
    planned.token_set =
        cluster::hash_words({planned.token_file, hash_of_text(run.shots), few ? run.seed : 0});
  }
  return planned;
}

std::vector<PlannedRun> plan_runs(const std::vector<experiments::RunConfig>& runs) {
  std::vector<PlannedRun> planned;
  planned.reserve(runs.size());
  for (const experiments::RunConfig& run : runs) planned.push_back(plan_run(run, planned.size()));
  return planned;
}

}  // namespace marquee::orchestrator
