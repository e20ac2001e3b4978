// One trainer process as its agent sees it: started with a clean environment, its own cores and a
// control channel on descriptor 3; supervised by deadlines; killed when this object goes away.
// The trainer program is `marquee-trainer` beside `marquee`; the environment variable
// MARQUEE_TRAINER names another one. Not thread safe.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cluster/child_process.h"
#include "cluster/frame_channel.h"
#include "orchestrator/sweep/trainer_protocol.h"

namespace marquee::orchestrator {

// MARQUEE_TRAINER, else `marquee-trainer` beside this program. Throws environment, naming the
// path and the remedy, when that is no program.
std::filesystem::path find_trainer();
// `marquee-simulated-trainer` beside this program. Throws environment when it is not there.
std::filesystem::path find_simulated_trainer();

// This process's environment without what belongs to its MPI rank, with so many threads.
std::vector<std::string> environment_of_trainer(int threads);

struct TrainerCommand {
  std::filesystem::path program;
  int threads = 1;
  std::vector<int> cpus;           // affinity; empty: unchanged
  std::string gpu{};               // the only one the trainer sees (cluster::visible_gpus); "": all
  int gang_fd = -1;                // memory through which gangs exchange; -1: none
  std::size_t gang_bytes = 0;      // its size
  std::filesystem::path log_file;  // standard output and error, appended, until a run has its own
};

class TrainerProcess {
 public:
  explicit TrainerProcess(const TrainerCommand& command);

  int threads() const { return threads_; }
  int fd() const { return channel_.fd(); }

  // Throws environment when the trainer has gone.
  void send(const std::string& frame) { channel_.send(frame); }
  // The next whole message, if one is there. Throws environment for a frame that is too long or no
  // valid message. Frames that a dying trainer left behind are still delivered.
  std::optional<TrainerMessage> try_receive();

  // Set once the process has ended.
  std::optional<cluster::ExitStatus> try_wait() { return child_.try_wait(); }
  // The control channel has reached its end.
  bool channel_closed() const { return channel_.closed(); }

  // The next message is due `seconds` after `now` (monotonic seconds).
  void expect_within(double seconds, double now) { due_ = now + seconds; }
  bool overdue(double now) const { return now > due_; }

  // Kills and reaps.
  cluster::ExitStatus kill();
  // Asks it to go, waits at most `patience_seconds`, then kills.
  void end(double patience_seconds);

 private:
  TrainerProcess(const TrainerCommand& command, std::pair<int, int> sockets);

  int threads_;
  double due_ = 0.0;
  cluster::FrameChannel channel_;
  cluster::ChildProcess child_;
};

// The last `max_lines` lines of a text file, at most 4 KiB; "" when there is none.
std::string log_tail(const std::filesystem::path& file, int max_lines = 20);

}  // namespace marquee::orchestrator
