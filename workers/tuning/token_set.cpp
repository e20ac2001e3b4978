#include "workers/tuning/token_set.h"

#include <numeric>
#include <set>

#include "cluster/error.h"
#include "datasets/few_shot.h"
#include "datasets/task.h"
#include "workers/split_rows.h"
#include "workers/tuning/subjects.h"

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

TokenSet load_validation_tokens(const experiments::RunConfig& run, const BaseModel& base,
                                const datasets::DataFolder& data, const CountProgress& progress) {
  TokenSet tokens;
  tokens.split = "val200";
  const auto dataset = datasets::open_dataset(datasets::find_task(run.task), tokens.split, data);
  std::vector<std::size_t> rows(dataset->size());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  const CachedTokens cached = cached_tokens({run.task, tokens.split, run.data_hash}, *dataset, data,
                                            base, rows, run.threads, progress);
  const Tensor labels = labels_at(*dataset, rows);
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < labels.size(0); ++i) {
    const auto row = static_cast<std::size_t>(i);
    if (cached.unreadable.contains(row) || labels[i].item<std::int64_t>() < 0) continue;
    kept.push_back(i);
    tokens.rows.push_back(row);
  }
  if (kept.empty()) {
    cluster::throw_usage("'early_stopping' with task '" + run.task +
                         "': val200 holds no image with a class");
  }
  const Tensor index = id_tensor(kept);
  tokens.ids = cached.ids.index_select(0, index);
  tokens.labels = labels.index_select(0, index);
  tokens.classes = dataset->num_classes();
  return tokens;
}

}  // namespace marquee::workers
