#include "experiments/run_time_model.h"

#include <algorithm>
#include <array>

namespace marquee::experiments {
namespace {

constexpr std::array<const char*, 4> kLikeness = {"the same but for the seed",
                                                  "same task, method and sizes",
                                                  "same method and sizes", "same method"};

// What a run must share with another to be alike at a level.
std::string key_of(std::size_t level, const RunConfig& run) {
  if (level == 0) {
    RunConfig same = run;
    same.seed = 0;
    return canonical_form(same);
  }
  std::string key = run.method + " " + run.profile + " " + run.base + " " + run.compute + " " +
                    run.protocol + " " + std::to_string(run.threads);
  if (level == 3) return key;
  if (trains(run)) key += " " + std::to_string(run.batch) + "/" + std::to_string(run.micro_batches);
  if (run.method == "prompt") key += " S " + std::to_string(run.prompt_length);
  return level == 2 ? key : key + " " + run.task;
}

std::string name_of(std::size_t level, const std::string& machine, const std::string& key) {
  return std::to_string(level) + "\n" + machine + "\n" + key;
}

// An oracle row decodes nothing: its images count once.
double decode_steps_of(const RunConfig& run) {
  return is_oracle(run) ? 1.0 : passes_per_image(run);
}

}  // namespace

void RunTimeModel::add(const RunConfig& run, const std::string& machine, const PhaseTimes& times) {
  for (std::size_t level = 0; level < kLikeness.size(); ++level) {
    for (const std::string& where : {machine, std::string()}) {
      Sums& sums = sums_[name_of(level, where, key_of(level, run))];
      ++sums.runs;
      sums.fixed += times.load + times.cache + times.score;
      sums.tune += times.tune;
      sums.sample += times.sample;
      sums.tuned_images += static_cast<double>(times.steps) * run.batch;
      sums.image_steps += static_cast<double>(times.images) * decode_steps_of(run);
      sums.peak_bytes = std::max(sums.peak_bytes, times.peak_bytes);
    }
  }
}

std::optional<RunPrediction> RunTimeModel::predict_from(const Sums& sums, const RunConfig& run,
                                                        std::int64_t steps_done) const {
  RunPrediction prediction;
  prediction.seconds = sums.fixed / sums.runs;
  const std::int64_t steps = trains(run) ? std::max<std::int64_t>(0, run.steps - steps_done) : 0;
  if (steps > 0) {
    // Resumed attempts alone, that had no step left to take, say nothing about a step.
    if (sums.tuned_images == 0) return std::nullopt;
    prediction.seconds += sums.tune / sums.tuned_images * static_cast<double>(steps) * run.batch;
  }
  if (sums.image_steps > 0)
    prediction.seconds += sums.sample / sums.image_steps * run.samples * decode_steps_of(run);
  prediction.peak_bytes = sums.peak_bytes;
  prediction.finished_runs = sums.runs;
  return prediction;
}

std::optional<RunPrediction> RunTimeModel::predict(const RunConfig& run,
                                                   std::int64_t steps_done) const {
  if (sums_.empty()) return std::nullopt;
  std::array<std::string, kLikeness.size()> keys;
  for (std::size_t level = 0; level < keys.size(); ++level) keys[level] = key_of(level, run);
  for (const std::string& where : {machine_, std::string()}) {
    for (std::size_t level = 0; level < keys.size(); ++level) {
      const auto known = sums_.find(name_of(level, where, keys[level]));
      if (known == sums_.end()) continue;
      std::optional<RunPrediction> prediction = predict_from(known->second, run, steps_done);
      if (!prediction) continue;
      prediction->likeness = kLikeness[level];
      prediction->same_machine = !where.empty();
      return prediction;
    }
  }
  return std::nullopt;
}

std::string machine_of(const nlohmann::json& fingerprint) {
  const auto word = [&](const char* key) {
    if (!fingerprint.is_object()) return std::string();
    const auto found = fingerprint.find(key);
    return found != fingerprint.end() && found->is_string() ? found->get<std::string>() : "";
  };
  return word("device") + " " + word("cpu");
}

}  // namespace marquee::experiments
