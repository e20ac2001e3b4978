#include "workers/tuning/token_set.h"

#include <set>

#include "datasets/few_shot.h"
#include "datasets/task.h"
#include "workers/split_rows.h"

namespace marquee::workers {

TokenRecipe token_recipe(const experiments::RunConfig& run, const std::string& split) {
  return {run.task, split, run.data_hash, run.crops,
          datasets::flips(datasets::find_task(run.task), run.flip)};
}

TokenSet load_tokens(const experiments::RunConfig& run, const BaseModel& base,
                     const datasets::DataFolder& data, const CountProgress& progress) {
  TokenSet tokens;
  tokens.split = datasets::split_for_shots(run.shots);
  const auto dataset = datasets::open_dataset(datasets::find_task(run.task), tokens.split, data);
  const TokenRecipe recipe = token_recipe(run, tokens.split);
  tokens.skipped = dataset->skipped();
  std::set<std::size_t> unreadable;
  for (;;) {
    tokens.rows = datasets::select_shots(*dataset, run.shots, run.seed, unreadable);
    CachedTokens cached =
        cached_tokens(recipe, *dataset, data, base, tokens.rows, run.threads, progress);
    tokens.ids = std::move(cached.ids);
    if (cached.unreadable.empty()) break;
    for (const auto& [row, reason] : cached.unreadable) {
      unreadable.insert(row);
      tokens.skipped.push_back(reason);
    }
  }
  tokens.classes = dataset->num_classes();
  tokens.labels = labels_at(*dataset, tokens.rows);
  for (const std::size_t row : tokens.rows) tokens.names.push_back(dataset->id(row));
  return tokens;
}

}  // namespace marquee::workers
