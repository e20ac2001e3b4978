// Runs one after another, each from what was asked for to the sealed folder of its attempt.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "experiments/input_stage.h"
#include "workers/base_model.h"
#include "workers/features/feature_network.h"
#include "workers/runs/pace.h"
#include "workers/runs/run_request.h"
#include "workers/tuning/communicator.h"

namespace marquee::workers {

// Keeps the last base and feature network in memory from run to run. Not thread safe.
class RunExecutor {
 public:
  // `device`: where is tuned and sampled; images are encoded and measured on the CPU.
  explicit RunExecutor(int threads, torch::Device device = torch::kCPU)
      : threads_(threads), device_(device) {}

  // Writes run.yaml, checkpoints, result.h5, samples.png, the small pictures of run_pictures.h,
  // curves.json and, last, attempt.json into the attempt's folder. Throws cluster::Error on
  // failure, attempt.json then says so; GangBroken without a word there: the agent knows more;
  // OutOfMemory. Other ranks of the gang than 0 only tune and write nothing.
  RunOutcome execute(const RunRequest& request, Communicator& gang, ProgressSink& sink);

 private:
  const BaseModel& base_for(const RunRequest& request);
  const FeatureNetwork& network_for(const RunRequest& request, const BaseModel& base);
  RunOutcome attempt(const RunRequest& request, const std::filesystem::path& folder,
                     Communicator& gang, ProgressSink& sink);

  int threads_;
  torch::Device device_;
  experiments::InputStage stage_;
  std::filesystem::path base_folder_;
  std::optional<BaseModel> base_;
  BaseTokenizer tokenizer_;  // of base_, on the device
  std::string network_key_;
  std::unique_ptr<FeatureNetwork> network_;
};

}  // namespace marquee::workers
