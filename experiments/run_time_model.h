// Predicts how long a run takes, and how much memory its trainer, from the phases of finished runs:
// seconds for a tuned image and for a generated image and decode step, and what comes with every
// run (loading, encoding, scoring). The finished runs most like it count: those that differ in the
// seed alone, else of the same task, method and sizes, else of any task, else of any batch size;
// those of this kind of machine before others, and where both are as like it, those of this sweep
// before older ones. Pure; not thread safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "experiments/phase_times.h"
#include "experiments/run_config.h"

namespace marquee::experiments {

struct RunPrediction {
  double seconds = 0;
  // Until something of it is safe: its first checkpoint, or its end where that comes first.
  double to_checkpoint = 0;
  std::int64_t peak_bytes = 0;  // 0: not known
  int finished_runs = 0;        // that it comes from
  std::string likeness;         // "the same but for the seed", ...
  bool same_machine = true;
};

// What a run is to the model: runs that differ in the seed alone have the same, so that thousands
// can share it.
struct Workload {
  static constexpr std::size_t kLevels = 4;
  std::array<std::uint64_t, kLevels> alike{};  // hashes of what it must share at each level
  std::int64_t steps = 0;                      // 0: tunes nothing
  std::int64_t checkpoint_interval = 0;
  double step_images = 0;  // tuned in a step by each member of its gang
  double image_steps = 0;  // generated images times decode steps
  double cost = 0;         // expected_cost

  bool operator==(const Workload&) const = default;
};

Workload workload_of(const RunConfig& run);

// Relative expected duration where nothing is known: tuning images plus generated images times
// decoding steps.
double expected_cost(const RunConfig& run);

class RunTimeModel {
 public:
  enum class Source { earlier, this_sweep };

  // `machine`: what the fingerprint of a result made here would say; see machine_of.
  explicit RunTimeModel(std::string machine) : machine_(std::move(machine)) {}

  void add(const RunConfig& run, const std::string& machine, const PhaseTimes& times,
           Source source = Source::earlier);

  // For the rest of a run that `steps_done` tuning steps were taken of. Nothing where no finished
  // run has its method, profile and threads.
  std::optional<RunPrediction> predict(const RunConfig& run, std::int64_t steps_done = 0) const;
  std::optional<RunPrediction> predict(const Workload& run, std::int64_t steps_done = 0) const;

  // Seconds that a unit of expected_cost has taken, over all runs; 0: none has finished.
  double seconds_of_cost() const { return cost_ > 0 ? seconds_ / cost_ : 0.0; }

 private:
  struct Sums {
    int runs = 0;
    double before = 0, after = 0, tune = 0, sample = 0;  // tuning; seconds
    double tuned_images = 0, image_steps = 0;
    std::int64_t peak_bytes = 0;
  };
  static std::optional<RunPrediction> predict_from(const Sums& sums, const Workload& run,
                                                   std::int64_t steps_done);

  std::string machine_;
  std::unordered_map<std::uint64_t, Sums> sums_;  // by level, machine ("" for any), source and key
  double seconds_ = 0, cost_ = 0;
};

// Device and processor in a fingerprint.
std::string machine_of(const nlohmann::json& fingerprint);

}  // namespace marquee::experiments
