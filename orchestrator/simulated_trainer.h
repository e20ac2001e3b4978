// The no-op trainer of `marquee sweep --simulate`: speaks the control channel as marquee-trainer
// does, waits instead of training, makes results from the run's id, and fails as the sweep's
// `simulate` block says.
#pragma once

#include "cluster/frame_channel.h"
#include "cluster/lease.h"
#include "experiments/run_folder.h"
#include "experiments/simulation.h"

namespace marquee::orchestrator {

class SimulatedTrainer {
 public:
  explicit SimulatedTrainer(int control_fd) : channel_(control_fd) {}

  // Works until it is told to stop or the channel closes.
  void serve();

 private:
  struct Request {
    experiments::RunConfig run;
    experiments::Simulation simulation;
    experiments::AttemptRecord record;  // as far as it is known
    std::filesystem::path folder;
    cluster::LeaseFence fence{};
    int gang_rank = 0;  // others than 0 wait as long and leave nothing
  };

  Request parse_request(const nlohmann::json& message) const;
  void work(const nlohmann::json& message);
  void commit_fault(const std::string& fault, const Request& request);
  void send(const Request& request, const char* type, nlohmann::json more);
  // Waits that long; false when told to interrupt or stop meanwhile.
  bool wait(double seconds);
  void take(const std::string& frame);

  cluster::FrameChannel channel_;
  nlohmann::json waiting_;  // the run request to work on next; null for none
  bool interrupt_ = false;
  bool stop_ = false;
};

// The results of a simulated run: a function of its id.
experiments::ResultRecord simulated_result(const experiments::RunId& id,
                                           const experiments::RunConfig& run, double seconds);

}  // namespace marquee::orchestrator
