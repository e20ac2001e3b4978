// One attempt at one run, from tokens to the sealed folder.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "cluster/error.h"
#include "cluster/lease.h"
#include "experiments/input_stage.h"
#include "experiments/result_record.h"
#include "experiments/run_config.h"
#include "workers/base_model.h"
#include "workers/features/feature_network.h"
#include "workers/runs/pace.h"
#include "workers/tuning/communicator.h"

namespace marquee::workers {

struct RunRequest {
  experiments::RunConfig run;
  int attempt = 1;
  std::uint64_t epoch = 0;
  std::filesystem::path results, data, assets;
  cluster::StagePlace stage{};       // where what is read is copied first; empty: nowhere
  std::filesystem::path networks{};  // where feature networks are; filled in by the executor
  std::uint64_t claim = 0;           // epoch of the run's claim; 0: none (experiments/claim.h)
  int rerun_of = 0;                  // AttemptRecord::rerun_of
  std::optional<cluster::LeaseFence> fence{};  // the attempt is not sealed when it no longer holds
};

// The GPU's memory does not suffice for the run; attempt.json's cause is of the kind
// "out_of_memory".
struct OutOfMemory : cluster::Error {
  static constexpr const char* kKind = "out_of_memory";
  explicit OutOfMemory(const std::string& message)
      : cluster::Error(cluster::ErrorKind::environment, message) {}
};

struct RunOutcome {
  std::optional<experiments::ResultRecord> result;  // absent: interrupted
  std::int64_t step = 0;                            // tuning steps taken
  bool served = false;  // as another rank than 0: its part is done, and rank 0 has the result
};

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
                     const std::string& started, Communicator& gang, ProgressSink& sink);

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
