#include "orchestrator/simulated_trainer.h"

#include <csignal>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/file_seal.h"
#include "cluster/host.h"
#include "cluster/philox.h"
#include "experiments/checkpoint_files.h"
#include "experiments/claim.h"
#include "experiments/phase_times.h"

namespace marquee::orchestrator {
namespace {

using nlohmann::json;

constexpr int kFaultyExitCode = 7;
constexpr double kMillisecondsPerSecond = 1000.0;

// What a simulated run "computes": numbers that depend on its id alone.
class Numbers {
 public:
  explicit Numbers(const experiments::RunId& run) {
    for (std::size_t i = 0; i < counter_.size(); ++i) {
      counter_[i] = static_cast<std::uint32_t>(
          std::strtoul(run.text().substr(kDigits * i, kDigits).c_str(), nullptr, 16));
    }
  }
  // In [0, 1).
  double fraction() {
    constexpr double kUnit = 1.0 / 4294967296.0;
    return kUnit * next()[0];
  }
  // What looks like a SHA-256.
  std::string digest() {
    std::string text;
    for (const cluster::PhiloxBlock& block : {next(), next()})
      for (const std::uint32_t word : block) text += fmt::format("{:08x}", word);
    return text;
  }

 private:
  static constexpr std::size_t kDigits = 8;
  cluster::PhiloxBlock next() { return cluster::philox4x32(counter_, {index_++, 0}); }

  cluster::PhiloxBlock counter_{};
  std::uint32_t index_ = 0;
};

// A sealed file with nothing of use behind the seal.
void write_checkpoint(const std::filesystem::path& folder, const std::string& run_id, int step) {
  cluster::StagedFile staged(folder / experiments::checkpoint_name(step));
  std::ofstream file(staged.staging_path(), std::ios::binary);
  file << std::string(cluster::kSealBlockBytes, '\0') << "simulated checkpoint of " << run_id;
  file.close();
  if (!file) cluster::throw_environment(staged.staging_path().string() + ": cannot be written");
  cluster::seal_file(staged.staging_path());
  staged.commit();
}

[[noreturn]] void sleep_for_ever() {
  while (true) pause();
}

}  // namespace

experiments::ResultRecord simulated_result(const experiments::RunId& id,
                                           const experiments::RunConfig& run, double seconds) {
  Numbers numbers(id);
  experiments::ResultRecord result;
  for (const char* metric :
       {"fid_mini", "kid_mini", "precision", "recall", "density", "coverage"}) {
    experiments::MetricValue value;
    value.metric = metric;
    value.value = numbers.fraction();
    value.n_generated = value.n_reference = run.samples;
    value.protocol = run.protocol;
    value.network_hash = run.network_hash;
    result.metrics.push_back(value);
  }
  result.seconds = seconds;
  result.result_sha256 = numbers.digest();
  if (experiments::trains(run)) result.prompt_sha256 = numbers.digest();
  if (!experiments::is_oracle(run)) result.tokens_sha256 = numbers.digest();
  result.class_prior = json::array();
  result.fingerprint = json::object({{"device", experiments::kSimulatedHash}});
  result.provenance = json::object(
      {{"simulated", true},
       {experiments::kTimingKey, to_json(experiments::times_of_one_phase(run, seconds))}});
  return result;
}

void SimulatedTrainer::serve() {
  channel_.send(json{{"type", "hello"}}.dump());
  cluster::failpoint("trainer.started");
  while (!stop_) {
    if (waiting_.is_object()) {
      const json message = std::move(waiting_);
      waiting_ = nullptr;
      work(message);
      continue;
    }
    if (const auto frame = channel_.try_receive()) {
      take(*frame);
      continue;
    }
    if (channel_.closed()) return;
    pollfd waiting{channel_.fd(), POLLIN, 0};
    poll(&waiting, 1, -1);
  }
}

void SimulatedTrainer::take(const std::string& frame) {
  json message = json::parse(frame, nullptr, /*allow_exceptions=*/false);
  const std::string type = message.is_object() ? message.value("type", "") : "";
  if (type == "run") {
    MARQUEE_CHECK(waiting_.is_null(), "an agent sent a second run while one is waiting");
    waiting_ = std::move(message);
    interrupt_ = false;
  } else if (type == "interrupt" || type == "gang_ended") {
    interrupt_ = true;
  } else if (type == "stop") {
    stop_ = true;
  } else {
    cluster::throw_environment("message of unknown type '" + type + "' from the agent");
  }
}

SimulatedTrainer::Request SimulatedTrainer::parse_request(const json& message) const {
  try {
    Request request;
    request.run = experiments::run_config_from_json(message.at("run"));
    request.simulation = experiments::simulation_from_json(message.at("simulation"));
    request.record.run_id = experiments::RunId(message.at("run_id").get<std::string>()).text();
    request.record.attempt = message.at("attempt").get<int>();
    request.record.epoch = message.at("epoch").get<std::uint64_t>();
    request.record.claim = message.at("claim").get<std::uint64_t>();
    request.record.rerun_of = message.at("rerun_of").get<int>();
    request.fence = experiments::fence_of(message.at("results").get<std::string>(),
                                          experiments::RunId(request.record.run_id),
                                          request.record.epoch, request.record.claim);
    request.record.started = cluster::utc_now();
    request.record.host = request.simulation.slots.empty() ? cluster::host_name()
                                                           : request.simulation.slots.front().host;
    request.gang_rank = message.at("gang").at("rank").get<int>();
    request.folder =
        experiments::attempt_dir(message.at("results").get<std::string>(),
                                 experiments::RunId(request.record.run_id), request.record.attempt);
    return request;
  } catch (const json::exception& error) {
    cluster::throw_environment(std::string("run request refused: ") + error.what());
  }
}

void SimulatedTrainer::send(const Request& request, const char* type, json more) {
  more["type"] = type;
  more["run_id"] = request.record.run_id;
  more["attempt"] = request.record.attempt;
  channel_.send(more.dump());
}

void SimulatedTrainer::work(const json& message) {
  cluster::failpoint("trainer.run_received");
  Request request = parse_request(message);
  const double started = cluster::monotonic_seconds();
  const experiments::Simulation& simulation = request.simulation;
  const std::string fault = request.gang_rank > 0 ? ""
                                                  : experiments::fault_of(simulation, request.run,
                                                                          request.record.attempt);
  if (fault == "no_start") _exit(kFaultyExitCode);
  const double seconds = experiments::seconds_of(simulation, request.run);
  for (int step = 0; step < simulation.steps; ++step) {
    if (seconds > 0 || simulation.steps > 1 || !fault.empty()) {
      send(request, "progress",
           {{"phase", "tune"},
            {"step", step},
            {"total", simulation.steps},
            {"deadline_s", simulation.deadline_seconds}});
    }
    if (!fault.empty() && step == simulation.steps / 2) {
      commit_fault(fault, request);
      return;
    }
    cluster::failpoint("trainer.tuned");
    if (!wait(seconds / simulation.steps)) {
      send(request, "interrupted", {{"step", step}});
      return;
    }
  }
  if (request.gang_rank > 0) {
    send(request, "done", json::object());
    if (simulation.process_per_run) stop_ = true;
    return;
  }
  request.record.status = "done";
  request.record.ended = cluster::utc_now();
  request.record.result = simulated_result(experiments::RunId(request.record.run_id), request.run,
                                           cluster::monotonic_seconds() - started);
  const json result = experiments::to_json(*request.record.result);
  if (simulation.files) {
    experiments::create_attempt_folder(request.folder);
    for (int step = 1; step <= simulation.checkpoints; ++step)
      write_checkpoint(request.folder, request.record.run_id, step);
    cluster::write_file_durably(request.folder / "result.json", result.dump());
    cluster::failpoint("trainer.result_written");
    request.record.run = experiments::to_json(request.run);
    try {
      request.fence.check();
    } catch (const cluster::Error& error) {
      send(request, "failed", {{"kind", "environment"}, {"message", error.what()}});
      return;
    }
    experiments::write_attempt(request.folder, request.record);
  }
  cluster::failpoint("trainer.sealed");
  send(request, "done", {{"result", result}});
  if (simulation.process_per_run) stop_ = true;
}

void SimulatedTrainer::commit_fault(const std::string& fault, const Request& request) {
  if (fault == "crash") {
    ::kill(getpid(), SIGKILL);
  } else if (fault == "exit") {
    _exit(kFaultyExitCode);
  } else if (fault == "hang") {
    sleep_for_ever();
  } else if (fault == "garbage") {
    channel_.send("\x01\x02 no message");
    sleep_for_ever();
  } else if (fault == "false_done") {
    send(request, "done", json::object());
  } else {
    send(request, "failed", {{"kind", fault}, {"message", "simulated " + fault + " failure"}});
  }
}

bool SimulatedTrainer::wait(double seconds) {
  const double until = cluster::monotonic_seconds() + seconds;
  while (true) {
    while (const auto frame = channel_.try_receive()) take(*frame);
    if (interrupt_ || stop_ || channel_.closed()) return false;
    const double left = until - cluster::monotonic_seconds();
    if (left <= 0) return true;
    pollfd waiting{channel_.fd(), POLLIN, 0};
    poll(&waiting, 1, static_cast<int>(left * kMillisecondsPerSecond) + 1);
  }
}

}  // namespace marquee::orchestrator
