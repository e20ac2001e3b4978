// A cluster in this process: the transport and the clock of a coordinator, and agents at the other
// ranks that do what a script says. Messages are the real protocol's text, ledger and lease are the
// coordinator's own and real. Not thread safe.
//
// Virtual time moves while the coordinator waits and at no other moment, a commit takes as long as
// the world says, and the same seed gives the same messages. Counted time also moves while the
// coordinator works, commits and publishes, as long as that really takes, but not while it idles:
// it says what a coordinator of so many slots could keep up with.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/clock.h"
#include "cluster/transport.h"
#include "tests/orchestrator/fault_script.h"
#include "tests/orchestrator/witness.h"

namespace marquee::orchestrator {

struct SimulatedWorld {
  enum class Time { is_virtual, counted };
  int hosts = 1, slots_per_host = 8;
  Time time = Time::is_virtual;
  double commit_seconds = 0.004;    // virtual time only
  double latency_seconds = 0.0005;  // of a message, to three times as much
  double stop_at = kNever;          // an agent passes on a person's wish to stop
  double dies_at = kNever;          // rank 0
  bool dies_sending = false;        // when it has told some members of a gang; else between rounds
  double silent_at = kNever;        // an agent is lost
  int broken_host = -1;             // every attempt fails there at once: its environment
  int progress_messages = 3;        // of an attempt
};

class SimulatedCluster : public cluster::Transport, public cluster::Clock {
 public:
  // `witness` sees the worlds of one results folder, one after the other, and must outlive them.
  SimulatedCluster(const SimulatedWorld& world, const FaultScript& script, Witness& witness);

  double seconds() const override;

  int rank() const override { return 0; }
  int size() const override { return static_cast<int>(agents_.size()); }
  void send(int rank, std::string message) override;
  std::optional<std::pair<int, std::string>> try_receive() override;
  void progress() override;
  std::uint64_t start_swap(int rank, int tag, std::span<const std::byte> out,
                           std::span<std::byte> in) override;
  bool swap_done(std::uint64_t swap) override;
  void wait(double seconds, int fd) override;
  bool woken_by_messages() const override { return true; }
  const std::string& doorbell() const override { return doorbell_; }
  void set_doorbell(int, const std::string&) override {}

  // Calls this when the time has come.
  void at(double seconds, std::function<void()> what);
  // Real seconds of this object's own work, which are no part of counted time.
  double scripted_seconds() const { return scripted_; }
  // Those that the coordinator waited for commits.
  double commit_seconds() const { return committing_; }

 private:
  struct Agent {
    std::string host;
    std::uint64_t epoch = 0;
    std::optional<Assignment> work{};
    ScriptedAttempt script{};
    std::uint64_t serial = 0;  // of the attempt; what was meant for an earlier one is not done
    bool answering = false;    // to a request to stop, or to the end of the gang
    double last_arrival = 0, last_told = 0;  // of its messages; of those to it
    std::vector<std::string> said{};         // the last words about its last attempts
  };
  // Work of the agents: no part of counted time.
  void off_the_clock(const std::function<void()>& work);
  void die_when_due();
  double latency();
  void report(int rank, const AgentMessage& message);
  void report_text(int rank, std::string text);
  void take(int rank, const CoordinatorMessage& message);
  void begin(int rank, const Assignment& assignment);
  void report_progress(int rank, int part);
  void send_old_messages(int rank);
  // The agent's part of the current attempt ends with this kind; empty: well.
  void end(int rank, const std::string& kind, const std::string& message);
  void answer(int rank, const std::string& kind, const std::string& message);
  void say_alive();

  SimulatedWorld world_;
  FaultScript script_;
  Witness& witness_;
  std::vector<Agent> agents_;  // by rank; the first one is not used
  std::map<std::pair<double, std::uint64_t>, std::function<void()>> events_;  // by time and order
  std::uint64_t events_made_ = 0, latencies_ = 0;
  std::deque<std::pair<int, std::string>> arrived_;
  double now_ = 0;                                  // of virtual time
  double moment_ = 0;                               // of the event that is going on
  double origin_ = 0, skipped_ = 0, scripted_ = 0;  // of counted time
  double committing_ = 0;
  std::string doorbell_;
};

}  // namespace marquee::orchestrator
