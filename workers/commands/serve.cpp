// marquee-trainer serve: the trainer's life under an agent. It works on one run at a time, sends
// progress with a deadline for the next message, and ends with its agent.
#include <bit>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "cluster/die_with_parent.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/frame_channel.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/shared_buffer.h"
#include "cluster/stage_place.h"
#include "cluster/stop_signal.h"
#include "experiments/claim.h"
#include "experiments/run_folder.h"
#include "workers/commands/commands.h"
#include "workers/device.h"
#include "workers/gang/nccl_communicator.h"
#include "workers/gang/pairwise_communicator.h"
#include "workers/runs/run_executor.h"

namespace marquee::workers {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

std::string text_of(const json& message) {
  return message.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Standard output and error go to `file` while it lives, then back.
class OutputTo {
 public:
  explicit OutputTo(const std::filesystem::path& file) {
    const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
      cluster::throw_environment(file.string() + ": cannot write: " + cluster::errno_text(errno));
    for (std::size_t i = 0; i < 2; ++i) {
      saved_[i] = fcntl(kStandard[i], F_DUPFD_CLOEXEC, 3);
      dup2(fd, kStandard[i]);
    }
    close(fd);
  }
  OutputTo(const OutputTo&) = delete;
  OutputTo& operator=(const OutputTo&) = delete;
  ~OutputTo() {
    for (std::size_t i = 0; i < 2; ++i) {
      dup2(saved_[i], kStandard[i]);
      close(saved_[i]);
    }
  }

 private:
  static constexpr int kStandard[2] = {STDOUT_FILENO, STDERR_FILENO};
  int saved_[2] = {-1, -1};
};

class Server : public ProgressSink, public GangCourier {
 public:
  // `buffer`: what goes to other members of a gang in its first half, what comes in its second.
  Server(int control_fd, int threads, std::optional<cluster::SharedBuffer> buffer)
      : channel_(control_fd),
        device_(compute_device()),
        executor_(threads, device_),
        buffer_(std::move(buffer)) {}

  void serve() {
    channel_.send(text_of({{"type", "hello"}}));
    cluster::failpoint("trainer.started");
    while (!stop_) {
      const std::optional<std::string> frame = channel_.try_receive();
      if (!frame) {
        if (channel_.closed()) return;
        pollfd waiting{channel_.fd(), POLLIN, 0};
        poll(&waiting, 1, -1);
        continue;
      }
      take(*frame);
      if (request_) work();
    }
  }

  void progress(const std::string& phase, std::int64_t step, std::int64_t total,
                double deadline_seconds) override {
    json message = about_run("progress");
    message.update(
        {{"phase", phase}, {"step", step}, {"total", total}, {"deadline_s", deadline_seconds}});
    last_progress_ = text_of(message);
    say_progress();
  }

  bool interrupted() override {
    while (const std::optional<std::string> frame = channel_.try_receive()) take(*frame);
    // Without an agent nobody takes the result in; what is checkpointed is not lost.
    return interrupt_ || stop_ || channel_.closed();
  }

 private:
  std::size_t largest() const override { return buffer_->bytes().size() / 2 / sizeof(float); }

  // The agents carry it: until then this process waits, however long the partner takes.
  std::span<const float> swap(int partner, std::span<const float> mine) override {
    const std::span<std::byte> out = buffer_->bytes().first(mine.size_bytes()),
                               in = buffer_->bytes().subspan(buffer_->bytes().size() / 2,
                                                             mine.size_bytes());
    std::memcpy(out.data(), mine.data(), mine.size_bytes());
    json message = about_run("exchange");
    message.update({{"partner", partner}, {"sequence", ++sequence_}, {"bytes", out.size()}});
    channel_.send(text_of(message));
    cluster::failpoint("trainer.exchanging");
    while (exchanged_ != sequence_) {
      take(channel_.receive());
      if (broken_) throw GangBroken(*broken_);
    }
    return {reinterpret_cast<const float*>(in.data()), mine.size()};
  }

  void say_progress() {
    channel_.send(last_progress_);
    progress_said_ = cluster::monotonic_seconds();
  }

  // While other members of a gang are awaited here: what the agent has to say, and signs of life
  // for it.
  void watch() {
    while (const std::optional<std::string> frame = channel_.try_receive()) take(*frame);
    if (broken_) throw GangBroken(*broken_);
    if (channel_.closed()) throw GangBroken("the agent has gone");
    if (cluster::monotonic_seconds() - progress_said_ > kSignOfLifeSeconds) say_progress();
  }

  // NCCL has failed here. Where a member has gone, the agents know it soon, and that is the cause.
  void await_news() {
    const double end = cluster::monotonic_seconds() + kNewsSeconds;
    do {
      watch();
      usleep(kPollMicroseconds);
    } while (cluster::monotonic_seconds() < end);
  }

  json about_run(const char* type) const {
    return {{"type", type},
            {"run_id", experiments::run_id(request_->run).text()},
            {"attempt", request_->attempt}};
  }

  void take(const std::string& frame) {
    const json message = json::parse(frame, nullptr, /*allow_exceptions=*/false);
    const std::string type = message.is_object() ? message.value("type", "") : "";
    if (type == "interrupt") {
      interrupt_ = true;
    } else if (type == "stop") {
      stop_ = true;
    } else if (type == "exchanged") {
      exchanged_ = message.value("sequence", std::int64_t{-1});
    } else if (type == "gang_id") {
      gang_id_ = nccl_id_of(message.value("id", ""));
    } else if (type == "gang_ended") {
      broken_ = message.value("message", "");
    } else if (type == "run") {
      MARQUEE_CHECK(!request_, "an agent sent a second run while one is being worked on");
      try {
        request_ = RunRequest{experiments::run_config_from_json(message.at("run")),
                              message.at("attempt").get<int>(),
                              message.at("epoch").get<std::uint64_t>(),
                              message.at("results").get<std::string>(),
                              message.at("data").get<std::string>(),
                              message.at("assets").get<std::string>(),
                              cluster::parse_stage_place(message.value("stage", ""))};
        request_->claim = message.at("claim").get<std::uint64_t>();
        request_->rerun_of = message.at("rerun_of").get<int>();
        request_->fence =
            experiments::fence_of(request_->results, experiments::run_id(request_->run),
                                  request_->epoch, request_->claim);
        rank_ = message.at("gang").at("rank").get<int>();
        size_ = message.at("gang").at("size").get<int>();
      } catch (const json::exception& error) {
        cluster::throw_environment(std::string("run request refused: ") + error.what());
      }
      const bool whole = size_ >= 1 && rank_ >= 0 && rank_ < size_ &&
                         std::has_single_bit(static_cast<unsigned>(size_));
      if (!whole || (size_ > 1 && !buffer_))
        cluster::throw_environment("run request refused: no such place in a gang");
      interrupt_ = false;
      broken_.reset();
      gang_id_.reset();
      sequence_ = exchanged_ = 0;
    } else {
      cluster::throw_environment("message of unknown type '" + type + "' from the agent");
    }
  }

  void work() {
    cluster::failpoint("trainer.run_received");
    const experiments::RunId id = experiments::run_id(request_->run);
    const std::filesystem::path folder =
        experiments::attempt_dir(request_->results, id, request_->attempt);
    json answer;
    try {
      experiments::create_attempt_folder(folder);
      const OutputTo log(folder / (rank_ == 0 ? "log" : "log-" + std::to_string(rank_)));
      cluster::set_log_run(id.short_text());
      cluster::log_info("run", request_->run.method + " on " + request_->run.task + ", " +
                                   request_->run.shots + " shots, seed " +
                                   std::to_string(request_->run.seed) + ", attempt " +
                                   std::to_string(request_->attempt));
      try {
        const std::unique_ptr<Communicator> gang = communicator();
        const RunOutcome outcome = executor_.execute(*request_, *gang, *this);
        const bool done = outcome.result || outcome.served;
        answer = about_run(done ? "done" : "interrupted");
        if (outcome.result) {
          answer["result"] = experiments::to_json(*outcome.result);
        } else {
          answer["step"] = outcome.step;
        }
        cluster::log_info("run", done ? "done" : "interrupted");
      } catch (const std::exception& error) {
        cluster::log_error("run", error.what());
        throw;
      }
    } catch (const std::exception& error) {
      const auto* known = dynamic_cast<const cluster::Error*>(&error);
      const bool listed = known != nullptr && known->kind() != cluster::ErrorKind::busy;
      answer = about_run("failed");
      answer["kind"] = dynamic_cast<const OutOfMemory*>(&error) != nullptr ? OutOfMemory::kKind
                       : listed ? std::string(known->name())
                                : "environment";
      answer["message"] = error.what();
    }
    cluster::set_log_run("");
    request_.reset();
    channel_.send(text_of(answer));
  }

  std::unique_ptr<Communicator> communicator() {
    if (size_ == 1) return std::make_unique<LocalCommunicator>();
    if (gangs_over_nccl(device_)) return nccl_communicator();
    return std::make_unique<PairwiseCommunicator>(*this, rank_, size_);
  }

  // The id goes from rank 0 to the others through the agents.
  std::unique_ptr<Communicator> nccl_communicator() {
    NcclWaiting waiting;
    waiting.watch = [this] { watch(); };
    waiting.before_blame = [this] { await_news(); };
    progress("load", 0, 1, 2 * waiting.join_seconds);
    const NcclLibrary& library = NcclLibrary::of_this_process();
    if (rank_ == 0) {
      gang_id_ = NcclCommunicator::make_id(library);
      json message = about_run("gang_id");
      message["id"] = hex_of(*gang_id_);
      channel_.send(text_of(message));
    }
    cluster::failpoint("trainer.joining_gang");
    const double end = cluster::monotonic_seconds() + waiting.join_seconds;
    while (!gang_id_) {
      watch();
      if (cluster::monotonic_seconds() > end)
        cluster::throw_environment("no id of the gang from rank 0: does it compute on the CPU?");
      usleep(kPollMicroseconds);
    }
    return std::make_unique<NcclCommunicator>(library, side_stream(device_), *gang_id_, rank_,
                                              size_, waiting);
  }

  static constexpr double kSignOfLifeSeconds = 2.0, kNewsSeconds = 6.0;
  static constexpr useconds_t kPollMicroseconds = 1000;

  cluster::FrameChannel channel_;
  torch::Device device_;
  RunExecutor executor_;
  std::optional<cluster::SharedBuffer> buffer_;
  std::optional<RunRequest> request_;
  int rank_ = 0, size_ = 1;                    // of the run's gang
  std::int64_t sequence_ = 0, exchanged_ = 0;  // swaps asked for, and the last that was carried
  std::optional<std::string> broken_;          // the gang has ended, and why
  std::optional<NcclId> gang_id_;
  std::string last_progress_;  // as it was sent
  double progress_said_ = 0.0;
  bool interrupt_ = false;
  bool stop_ = false;
};

}  // namespace

int serve_command(const cluster::Arguments& arguments) {
  cluster::CommandLine line;
  line.usage = "marquee-trainer serve --control-fd N --parent-pid PID [--threads T]";
  line.text =
      "Started by an agent of marquee sweep. Works on the runs that come over the channel and\n"
      "ends with the process that started it.";
  line.options.add_options()                                                                   //
      ("control-fd", po::value<int>()->required(), "descriptor of the channel")                //
      ("parent-pid", po::value<int>()->required(), "the agent; its death ends this")           //
      ("threads", po::value<int>()->default_value(1), "threads of one operation of LibTorch")  //
      ("gang-fd", po::value<int>()->default_value(-1),
       "descriptor of the memory through which gangs exchange")  //
      ("gang-bytes", po::value<std::size_t>()->default_value(0), "its size");
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  cluster::die_with_parent(values["parent-pid"].as<int>());
  cluster::leave_stop_signals_to_parent();
  const int threads = values["threads"].as<int>();
  if (threads < 1) cluster::throw_usage("--threads must be at least 1");
  cluster::LogOptions log;
  log.who = "trainer";
  cluster::init_log(log);
  at::set_num_threads(threads);
  at::set_num_interop_threads(1);
  std::optional<cluster::SharedBuffer> buffer;
  if (const int fd = values["gang-fd"].as<int>(); fd >= 0)
    buffer = cluster::SharedBuffer::adopt(fd, values["gang-bytes"].as<std::size_t>());
  Server(values["control-fd"].as<int>(), threads, std::move(buffer)).serve();
  return 0;
}

}  // namespace marquee::workers
