#include "tests/orchestrator/simulated_cluster.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <ctime>
#include <memory>
#include <stdexcept>

#include <poll.h>

#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/philox.h"
#include "orchestrator/simulated_trainer.h"
#include "orchestrator/sweep/timing.h"

namespace marquee::orchestrator {
namespace {

constexpr double kForgedValue = 666;
constexpr int kSignal = SIGTERM;
constexpr std::size_t kSaid = 2;  // last words that an agent remembers

std::string host_name(int host) {
  return "host" + std::to_string(host);
}

// Waits until `fd` can be read; negative seconds: as long as that takes.
void wait_for(int fd, double seconds) {
  pollfd waiting{fd, POLLIN, 0};
  const auto whole = static_cast<std::time_t>(seconds);
  const timespec longest{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
  ::ppoll(&waiting, 1, seconds < 0 ? nullptr : &longest, nullptr);
}

// The numbers say which attempt they come from.
AttemptEnded ended_of(const Assignment& assignment, const std::string& host, double seconds,
                      const std::string& kind, const std::string& message) {
  AttemptEnded ended;
  ended.epoch = assignment.epoch;
  experiments::AttemptRecord& record = ended.record;
  record.run_id = assignment.run_id;
  record.attempt = assignment.attempt;
  record.epoch = assignment.epoch;
  record.started = record.ended = cluster::utc_now();
  record.host = host;
  if (kind.empty()) {
    record.status = "done";
    record.result =
        simulated_result(experiments::RunId(assignment.run_id), assignment.run, seconds);
    record.result->metrics.front().value = assignment.attempt;
  } else {
    record.status = kind == "interrupted" ? kind : "failed";
    record.cause.kind = kind;
    record.cause.message = message;
  }
  return ended;
}

MemberEnded part_of(const Assignment& assignment, const std::string& kind,
                    const std::string& message) {
  MemberEnded ended{assignment.epoch, assignment.gang.generation, {}};
  ended.cause.kind = kind;
  ended.cause.message = message;
  return ended;
}

}  // namespace

SimulatedCluster::SimulatedCluster(const SimulatedWorld& world, const FaultScript& script,
                                   Witness& witness)
    : world_(world),
      script_(script),
      witness_(witness),
      agents_(static_cast<std::size_t>(1 + world.hosts * world.slots_per_host)),
      origin_(cluster::monotonic_seconds()) {
  witness_.begin_world();
  for (int rank = 1; rank < size(); ++rank) {
    Agent& agent = agents_[static_cast<std::size_t>(rank)];
    agent.host = host_name((rank - 1) / world.slots_per_host);
    HostFacts facts{agent.host, {}, 0};
    for (int cpu = 0; cpu < world.slots_per_host; ++cpu) facts.cpus.push_back(cpu);
    report(rank, AgentHello{facts, ""});
  }
  at(kAliveIntervalSeconds, [this] { say_alive(); });
  if (world.stop_at < kNever) at(world.stop_at, [this] { report(1, StopRequest{kSignal}); });
}

double SimulatedCluster::seconds() const {
  if (world_.time == SimulatedWorld::Time::is_virtual) return now_;
  return cluster::monotonic_seconds() - origin_ - scripted_ + skipped_;
}

void SimulatedCluster::at(double seconds, std::function<void()> what) {
  events_.emplace(std::pair{seconds, events_made_++}, std::move(what));
}

void SimulatedCluster::off_the_clock(const std::function<void()>& work) {
  const double begun = cluster::monotonic_seconds();
  work();
  scripted_ += cluster::monotonic_seconds() - begun;
}

void SimulatedCluster::die_when_due() {
  if (seconds() < world_.dies_at) return;
  world_.dies_at = kNever;
  throw std::runtime_error("rank 0 has died");
}

void SimulatedCluster::progress() {
  if (!world_.dies_sending) die_when_due();
  off_the_clock([this, now = seconds()] {
    while (!events_.empty() && events_.begin()->first.first <= now) {
      const auto event = events_.extract(events_.begin());
      moment_ = event.key().first;
      event.mapped()();
    }
  });
}

std::optional<std::pair<int, std::string>> SimulatedCluster::try_receive() {
  if (arrived_.empty()) return std::nullopt;
  std::pair<int, std::string> message = std::move(arrived_.front());
  arrived_.pop_front();
  return message;
}

void SimulatedCluster::wait(double seconds, int fd) {
  const double next = events_.empty() ? kNever : events_.begin()->first.first;
  const double idle = std::clamp(next - this->seconds(), 0.0, seconds);
  const bool counted = world_.time == SimulatedWorld::Time::counted;
  if (fd >= 0) {
    const double begun = cluster::monotonic_seconds();
    wait_for(fd, counted ? idle : -1);
    committing_ += cluster::monotonic_seconds() - begun;
    now_ += world_.commit_seconds;
  } else {
    (counted ? skipped_ : now_) += idle;
  }
}

void SimulatedCluster::send(int rank, std::string message) {
  off_the_clock([&, now = seconds()] {
    const auto parsed = std::make_shared<CoordinatorMessage>(parse_coordinator_message(message));
    std::string what = std::to_string(parsed->index());
    if (const auto* assignment = std::get_if<Assignment>(parsed.get())) {
      if (world_.dies_sending && assignment->gang.rank > 0) die_when_due();
      what += assignment->run_id + std::to_string(assignment->attempt);
      witness_.note_assignment(rank, *assignment);
    }
    witness_.note_message(now, rank, what);
    double& arrival = agents_.at(static_cast<std::size_t>(rank)).last_told;
    arrival = std::max(arrival, now + latency());  // order is kept
    at(arrival, [this, rank, parsed] { take(rank, *parsed); });
  });
}

std::uint64_t SimulatedCluster::start_swap(int, int, std::span<const std::byte>,
                                           std::span<std::byte>) {
  cluster::throw_defect("a coordinator swaps nothing");
}

bool SimulatedCluster::swap_done(std::uint64_t) {
  cluster::throw_defect("a coordinator swaps nothing");
}

double SimulatedCluster::latency() {
  const auto count = latencies_++;
  const auto block = cluster::philox4x32(
      {static_cast<std::uint32_t>(count), static_cast<std::uint32_t>(count >> 32), 0, 0},
      {static_cast<std::uint32_t>(script_.seed), static_cast<std::uint32_t>(script_.seed >> 32)});
  return world_.latency_seconds * (1 + 2 * (block[0] / 4294967296.0));
}

void SimulatedCluster::report(int rank, const AgentMessage& message) {
  report_text(rank, to_text(message));
}

void SimulatedCluster::report_text(int rank, std::string text) {
  if (moment_ >= world_.silent_at && rank == size() / 2) return;
  Agent& agent = agents_.at(static_cast<std::size_t>(rank));
  agent.last_arrival = std::max(agent.last_arrival, moment_ + latency());
  at(agent.last_arrival, [this, rank, text = std::move(text)]() mutable {
    arrived_.emplace_back(rank, std::move(text));
  });
}

void SimulatedCluster::say_alive() {
  const std::string text = to_text(AgentMessage(AgentAlive{}));
  for (int rank = 1; rank < size(); ++rank) report_text(rank, text);
  at(moment_ + kAliveIntervalSeconds, [this] { say_alive(); });
}

void SimulatedCluster::take(int rank, const CoordinatorMessage& message) {
  Agent& agent = agents_.at(static_cast<std::size_t>(rank));
  if (const auto* welcome = std::get_if<Welcome>(&message)) {
    agent.epoch = welcome->epoch;
  } else if (const auto* assignment = std::get_if<Assignment>(&message)) {
    if (assignment->epoch != agent.epoch || agent.work) {
      witness_.complain("an assignment that an agent refuses");
      return;
    }
    begin(rank, *assignment);
  } else if (std::holds_alternative<Interrupt>(message)) {
    answer(rank, "interrupted", "stopped on request");
  } else if (const auto* ended = std::get_if<GangEnded>(&message)) {
    if (agent.work && agent.work->gang.size() > 1 &&
        agent.work->gang.generation == ended->generation)
      answer(rank, ended->kind, ended->message);
  }
}

void SimulatedCluster::begin(int rank, const Assignment& assignment) {
  Agent& agent = agents_.at(static_cast<std::size_t>(rank));
  agent.work = assignment;
  agent.script = script_.attempt(assignment);
  agent.answering = false;
  const bool broken = agent.host == host_name(world_.broken_host);
  if (broken) agent.script = {0.05, "environment", assignment.gang.rank};
  const std::uint64_t serial = ++agent.serial;
  // Of a gang that one member leaves, the others wait until they are told.
  const ScriptedAttempt& script = agent.script;
  const int who = assignment.gang.rank;
  const bool ends = script.kind.empty() || who == std::max(0, script.lost_member);
  const auto then = [&](double seconds, auto what) {
    at(moment_ + seconds, [this, rank, serial, what] {
      if (agents_.at(static_cast<std::size_t>(rank)).serial == serial) what();
    });
  };
  if (who == 0 && !broken) {
    for (int part = 1; part <= world_.progress_messages; ++part)
      then(script.seconds * part / (world_.progress_messages + 1),
           [this, rank, part] { report_progress(rank, part); });
  }
  if (!ends) return;
  then(script.seconds, [this, rank] {
    const Agent& mine = agents_.at(static_cast<std::size_t>(rank));
    if (mine.script.old_messages) send_old_messages(rank);
    end(rank, mine.script.kind, mine.script.kind.empty() ? "" : "as the script says");
  });
}

void SimulatedCluster::report_progress(int rank, int part) {
  const Assignment& work = *agents_.at(static_cast<std::size_t>(rank)).work;
  report(rank, RunProgress{work.epoch, work.run_id, work.attempt, "tune", part,
                           world_.progress_messages, 60});
}

void SimulatedCluster::answer(int rank, const std::string& kind, const std::string& message) {
  Agent& agent = agents_.at(static_cast<std::size_t>(rank));
  if (!agent.work || agent.answering) return;
  agent.answering = true;
  // Meanwhile the attempt may end by itself.
  at(moment_ + agent.script.answer_seconds, [this, rank, serial = agent.serial, kind, message] {
    if (agents_.at(static_cast<std::size_t>(rank)).serial == serial) end(rank, kind, message);
  });
}

void SimulatedCluster::end(int rank, const std::string& kind, const std::string& message) {
  Agent& agent = agents_.at(static_cast<std::size_t>(rank));
  const Assignment work = *std::exchange(agent.work, std::nullopt);
  ++agent.serial;
  if (moment_ < world_.silent_at || rank != size() / 2) witness_.note_end(rank, work, kind.empty());
  witness_.note_message(moment_, rank, work.run_id + std::to_string(work.attempt) + kind);
  const AgentMessage last =
      work.gang.rank == 0
          ? AgentMessage(ended_of(work, agent.host, agent.script.seconds, kind, message))
          : AgentMessage(part_of(work, kind, message));
  if (agent.said.size() == kSaid) agent.said.erase(agent.said.begin());
  agent.said.push_back(to_text(last));
  for (int times = agent.script.old_messages ? 2 : 1; times > 0; --times)
    report_text(rank, agent.said.back());
}

// None of it counts: it is of another epoch, attempt, gang or member.
void SimulatedCluster::send_old_messages(int rank) {
  const Agent& agent = agents_.at(static_cast<std::size_t>(rank));
  const Assignment& work = *agent.work;
  for (const std::string& text : agent.said) report_text(rank, text);
  AttemptEnded forged = ended_of(work, agent.host, 1, "", "");
  for (experiments::MetricValue& metric : forged.record.result->metrics)
    metric.value = kForgedValue;
  const auto report_forged = [&](std::uint64_t of, std::uint64_t record_of, int attempt) {
    forged.epoch = of;
    forged.record.epoch = record_of;
    forged.record.attempt = attempt;
    report(rank, forged);
  };
  report_forged(work.epoch - 1, work.epoch - 1, work.attempt);
  report_forged(work.epoch - 1, work.epoch, work.attempt);
  report_forged(work.epoch, work.epoch - 1, work.attempt);
  report_forged(work.epoch, work.epoch, work.attempt + 1);
  if (work.attempt > 1) report_forged(work.epoch, work.epoch, work.attempt - 1);
  report(rank, RunProgress{work.epoch - 1, work.run_id, work.attempt, "save", 1, 1, 60});
  MemberEnded part = part_of(work, "crash", "of a gang that is over");
  part.generation = work.gang.generation > 0 ? work.gang.generation - 1 : 1;
  report(rank, part);
  part.generation = work.gang.generation;
  if (work.gang.rank == 0) report(rank, part);
  part.epoch = work.epoch - 1;
  report(rank, part);
  if (work.gang.rank > 0) report_forged(work.epoch, work.epoch, work.attempt);
}

}  // namespace marquee::orchestrator
