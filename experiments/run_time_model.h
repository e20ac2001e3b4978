// Predicts how long a run takes, and how much memory its trainer, from the phases of finished runs:
// seconds for a tuned image and for a generated image and decode step, and what comes with every
// run (loading, encoding, scoring). The finished runs most like it count: those that differ in the
// seed alone, else of the same task, method and sizes, else of any task, else of any batch size;
// those of this kind of machine before others. Pure; not thread safe.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "experiments/phase_times.h"
#include "experiments/run_config.h"

namespace marquee::experiments {

struct RunPrediction {
  double seconds = 0;
  std::int64_t peak_bytes = 0;  // 0: not known
  int finished_runs = 0;        // that it comes from
  std::string likeness;         // "the same but for the seed", ...
  bool same_machine = true;
};

class RunTimeModel {
 public:
  // `machine`: what the fingerprint of a result made here would say; see machine_of.
  explicit RunTimeModel(std::string machine) : machine_(std::move(machine)) {}

  void add(const RunConfig& run, const std::string& machine, const PhaseTimes& times);

  // For the rest of a run that `steps_done` tuning steps were taken of. Nothing where no finished
  // run has its method, profile and threads.
  std::optional<RunPrediction> predict(const RunConfig& run, std::int64_t steps_done = 0) const;

 private:
  struct Sums {
    int runs = 0;
    double fixed = 0, tune = 0, sample = 0;
    double tuned_images = 0, image_steps = 0;
    std::int64_t peak_bytes = 0;
  };
  std::optional<RunPrediction> predict_from(const Sums& sums, const RunConfig& run,
                                            std::int64_t steps_done) const;

  std::string machine_;
  std::map<std::string, Sums> sums_;  // by level, machine ("" for any) and key
};

// Device and processor in a fingerprint.
std::string machine_of(const nlohmann::json& fingerprint);

}  // namespace marquee::experiments
