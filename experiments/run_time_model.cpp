#include "experiments/run_time_model.h"

#include <algorithm>
#include <functional>

#include "cluster/hash_words.h"

namespace marquee::experiments {
namespace {

constexpr std::array<const char*, Workload::kLevels> kLikeness = {
    "the same but for the seed", "same task, method and sizes", "same method and sizes",
    "same method"};

// A tuning step runs forward and backward: about three forward passes an image.
constexpr double kPassesOfStep = 3.0;

// What a run must share with another to be alike at a level above the first.
std::string key_of(std::size_t level, const RunConfig& run) {
  std::string key = run.method + " " + run.profile + " " + run.base + " " + run.compute + " " +
                    run.protocol + " " + std::to_string(run.threads);
  if (level == 3) return key;
  if (trains(run)) key += " " + std::to_string(run.batch) + "/" + std::to_string(run.micro_batches);
  if (run.method == "prompt") key += " S " + std::to_string(run.prompt_length);
  return level == 2 ? key : key + " " + run.task;
}

std::uint64_t place_of(std::uint64_t alike, const std::string& machine,
                       RunTimeModel::Source source) {
  return cluster::hash_words(
      {alike, std::hash<std::string>()(machine), static_cast<std::uint64_t>(source)});
}

// An oracle row decodes nothing: its images count once.
double decode_steps_of(const RunConfig& run) {
  return is_oracle(run) ? 1.0 : passes_per_image(run);
}

double cost_of(const Workload& run, double steps, double image_steps) {
  return kPassesOfStep * steps * run.step_images + image_steps;
}

}  // namespace

Workload workload_of(const RunConfig& run) {
  Workload work;
  work.alike[0] = hash_but_for_seed(run);
  for (std::size_t level = 1; level < Workload::kLevels; ++level) {
    work.alike[level] = cluster::hash_words({level, std::hash<std::string>()(key_of(level, run))});
  }
  work.steps = trains(run) ? run.steps : 0;
  work.checkpoint_interval = run.checkpoint_interval;
  // The members of a gang share the images of a step.
  work.step_images = static_cast<double>(run.batch) / gang_size(run);
  work.image_steps = run.samples * decode_steps_of(run);
  work.cost = expected_cost(run);
  return work;
}

double expected_cost(const RunConfig& run) {
  const double tuning = trains(run) ? kPassesOfStep * run.steps * run.batch / gang_size(run) : 0.0;
  return tuning + (is_oracle(run) ? 0.0 : 1.0 * run.samples * passes_per_image(run));
}

void RunTimeModel::add(const RunConfig& run, const std::string& machine, const PhaseTimes& times,
                       Source source) {
  const Workload work = workload_of(run);
  const auto steps = static_cast<double>(times.steps);
  const double image_steps = static_cast<double>(times.images) * decode_steps_of(run);
  for (const std::uint64_t alike : work.alike) {
    for (const std::string& where : {machine, std::string()}) {
      // What this sweep has measured is also among all that was.
      for (const Source from : {Source::earlier, Source::this_sweep}) {
        if (from == Source::this_sweep && source != from) continue;
        Sums& sums = sums_[place_of(alike, where, from)];
        ++sums.runs;
        sums.before += times.load + times.cache;
        sums.after += times.score;
        sums.tune += times.tune;
        sums.sample += times.sample;
        sums.tuned_images += steps * work.step_images;
        sums.image_steps += image_steps;
        sums.peak_bytes = std::max(sums.peak_bytes, times.peak_bytes);
      }
    }
  }
  if (is_oracle(run)) return;  // their cost says nothing
  seconds_ += times.load + times.cache + times.tune + times.sample + times.score;
  cost_ += cost_of(work, steps, image_steps);
}

std::optional<RunPrediction> RunTimeModel::predict_from(const Sums& sums, const Workload& run,
                                                        std::int64_t steps_done) {
  RunPrediction prediction;
  const double before = sums.before / sums.runs;
  prediction.seconds = before + sums.after / sums.runs;
  const std::int64_t steps = std::max<std::int64_t>(0, run.steps - steps_done);
  double step = 0;
  if (steps > 0) {
    // Resumed attempts alone, that had no step left to take, say nothing about a step.
    if (sums.tuned_images == 0) return std::nullopt;
    step = sums.tune / sums.tuned_images * run.step_images;
    prediction.seconds += step * static_cast<double>(steps);
  }
  if (sums.image_steps > 0) prediction.seconds += sums.sample / sums.image_steps * run.image_steps;
  prediction.to_checkpoint =
      steps > 0 ? before + step * static_cast<double>(std::min(steps, run.checkpoint_interval))
                : prediction.seconds;
  prediction.peak_bytes = sums.peak_bytes;
  prediction.finished_runs = sums.runs;
  return prediction;
}

std::optional<RunPrediction> RunTimeModel::predict(const RunConfig& run,
                                                   std::int64_t steps_done) const {
  return predict(workload_of(run), steps_done);
}

std::optional<RunPrediction> RunTimeModel::predict(const Workload& run,
                                                   std::int64_t steps_done) const {
  if (sums_.empty()) return std::nullopt;
  for (const std::string& where : {machine_, std::string()}) {
    for (std::size_t level = 0; level < Workload::kLevels; ++level) {
      for (const Source source : {Source::this_sweep, Source::earlier}) {
        const auto known = sums_.find(place_of(run.alike[level], where, source));
        if (known == sums_.end()) continue;
        std::optional<RunPrediction> prediction = predict_from(known->second, run, steps_done);
        if (!prediction) continue;
        prediction->likeness = kLikeness[level];
        prediction->same_machine = !where.empty();
        return prediction;
      }
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
