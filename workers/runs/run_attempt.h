// One attempt at one run, once what it computes with is in memory: tuning, generation, scores and
// the files that it leaves.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "datasets/data_folder.h"
#include "datasets/task.h"
#include "experiments/phase_times.h"
#include "experiments/protocols.h"
#include "workers/base_model.h"
#include "workers/features/feature_network.h"
#include "workers/runs/film_strip.h"
#include "workers/runs/pace.h"
#include "workers/runs/reference_images.h"
#include "workers/runs/result_file.h"
#include "workers/runs/run_pictures.h"
#include "workers/runs/run_request.h"
#include "workers/tuning/adapter.h"
#include "workers/tuning/communicator.h"
#include "workers/tuning/tuning_step.h"

namespace marquee::workers {

struct AttemptMeans {
  const RunRequest& request;
  std::filesystem::path folder;  // the attempt's; it is there
  const BaseModel& base;
  const BaseTokenizer& tokenizer;  // of the base, on the device
  const FeatureNetwork& network;
  int threads;
  torch::Device device;
  double began;  // monotonic seconds: loading belongs to the attempt
};

// What `means` refers to must outlive it.
class RunAttempt {
 public:
  RunAttempt(const AttemptMeans& means, Communicator& gang, ProgressSink& sink);
  RunAttempt(const RunAttempt&) = delete;
  RunAttempt& operator=(const RunAttempt&) = delete;

  // To its end, once: everything is written but run.yaml and attempt.json. Without a result where
  // it was interrupted, or where another rank than 0 has done its part. Throws as
  // RunExecutor::execute() does.
  RunOutcome run();

 private:
  // Fills the phases of the attempt as it goes through them: each lap ends the one before it.
  void lap(double experiments::PhaseTimes::*phase);

  void take_real_images();
  // False on other ranks than 0, whose part ends with the tuning.
  bool tune_and_generate();
  TokenSet load_training();  // fills in content_.training; returns the images for validation
  void tune_adapter(Adapter& adapter, const TokenSet& validation);
  void generate_images(Adapter& adapter, const TaskClasses& told);

  void score();
  SplitFeatures features_of(const std::string& split, std::size_t most, Pace& pace);
  void write();
  nlohmann::json provenance() const;

  const AttemptMeans means_;
  const experiments::RunConfig& run_;
  Communicator& gang_;
  ProgressSink& sink_;
  const datasets::TaskInfo& task_;
  const datasets::DataFolder data_;
  const int classes_;
  const experiments::Protocol& protocol_;
  const std::vector<std::string> outputs_;  // of the network
  const Measure measure_;

  experiments::PhaseTimes times_;
  double last_lap_;
  TuningState state_;
  std::optional<std::filesystem::path> resumed_;  // the checkpoint that it went on from
  experiments::ResultRecord result_;
  ResultContent content_;
  FeatureOutputs features_;  // of its images
  FilmStrip film_;
  std::vector<NearestImage> nearest_;
  std::vector<std::vector<std::string>> skipped_;  // records, of each list that was read
};

}  // namespace marquee::workers
