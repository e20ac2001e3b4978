#include "orchestrator/sweep/trainer_process.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <signal.h>
#include <unistd.h>

#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/log.h"

namespace marquee::orchestrator {
namespace {

constexpr int kControlFd = 3, kGangFd = 4;
constexpr std::streamoff kTailBytes = 4096;
constexpr useconds_t kShortestNapMicroseconds = 200, kLongestNapMicroseconds = 10'000;

cluster::SpawnOptions spawn_options(const TrainerCommand& command, int child_socket) {
  cluster::SpawnOptions options;
  options.argv = {command.program.string(),
                  "serve",
                  "--control-fd",
                  std::to_string(kControlFd),
                  "--parent-pid",
                  std::to_string(getpid()),
                  "--threads",
                  std::to_string(command.threads)};
  options.environment = environment_of_trainer(command.threads);
  if (!command.gpu.empty())
    cluster::set_variable(options.environment, "CUDA_VISIBLE_DEVICES", command.gpu);
  options.inherit = {{kControlFd, child_socket}};
  if (command.gang_fd >= 0) {
    options.argv.insert(options.argv.end(), {"--gang-fd", std::to_string(kGangFd), "--gang-bytes",
                                             std::to_string(command.gang_bytes)});
    options.inherit[kGangFd] = command.gang_fd;
  }
  options.cpus = command.cpus;
  options.log_file = command.log_file;
  return options;
}

// Closes the child's end in this process once the child has it (or could not be started).
cluster::ChildProcess spawn(const TrainerCommand& command, int child_socket) {
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } closer{child_socket};
  return cluster::ChildProcess::spawn(spawn_options(command, child_socket));
}

std::filesystem::path beside_this_program(const char* name) {
  return cluster::executable_path().parent_path() / name;
}

}  // namespace

std::filesystem::path find_trainer() {
  const char* named = std::getenv("MARQUEE_TRAINER");
  const bool chosen = named != nullptr && *named != '\0';
  const std::filesystem::path program =
      chosen ? std::filesystem::absolute(named) : beside_this_program("marquee-trainer");
  if (access(program.c_str(), X_OK) != 0 || std::filesystem::is_directory(program)) {
    cluster::throw_environment(
        "no trainer program at " + program.string() +
        (chosen ? " (named by the environment variable MARQUEE_TRAINER)"
                : ": build it with -DMARQUEE_TRAINER=ON (it needs LibTorch; scripts/quickstart "
                  "fetches that), or name one with the environment variable MARQUEE_TRAINER"));
  }
  return program;
}

std::filesystem::path find_simulated_trainer() {
  std::filesystem::path program = beside_this_program("marquee-simulated-trainer");
  if (access(program.c_str(), X_OK) != 0)
    cluster::throw_environment("no program at " + program.string() +
                               ": --simulate needs it beside this one");
  return program;
}

std::vector<std::string> environment_of_trainer(int threads) {
  std::vector<std::string> environment = cluster::clean_environment();
  for (const char* name : {"OMP_NUM_THREADS=", "MKL_NUM_THREADS="})
    environment.push_back(name + std::to_string(threads));
  return environment;
}

TrainerProcess::TrainerProcess(const TrainerCommand& command)
    : TrainerProcess(command, cluster::make_socket_pair()) {}

TrainerProcess::TrainerProcess(const TrainerCommand& command, std::pair<int, int> sockets)
    : threads_(command.threads), channel_(sockets.first), child_(spawn(command, sockets.second)) {}

std::optional<TrainerMessage> TrainerProcess::try_receive() {
  const std::optional<std::string> frame = channel_.try_receive();
  if (!frame) return std::nullopt;
  return parse_trainer_message(*frame);
}

cluster::ExitStatus TrainerProcess::kill() {
  child_.kill(SIGKILL);
  return child_.wait();
}

void TrainerProcess::end(double patience_seconds) {
  try {
    channel_.send(trainer_stop_request());
  } catch (const cluster::Error&) {
    // Gone already; the wait below finds out how.
  }
  const double give_up = cluster::monotonic_seconds() + patience_seconds;
  useconds_t nap = kShortestNapMicroseconds;
  while (!child_.try_wait()) {
    if (cluster::monotonic_seconds() > give_up) {
      cluster::log_warning("agent", "the trainer did not stop in time and is killed");
      kill();
      return;
    }
    usleep(nap);
    nap = std::min(2 * nap, kLongestNapMicroseconds);
  }
}

std::string log_tail(const std::filesystem::path& file, int max_lines) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) return "";
  const std::streamoff size = in.tellg();
  in.seekg(std::max<std::streamoff>(0, size - kTailBytes));
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::size_t start = text.size();
  for (int line = 0; line < max_lines && start != std::string::npos && start > 0; ++line) {
    start = text.rfind('\n', start - 1);
  }
  return start == std::string::npos || start == 0 ? text : text.substr(start + 1);
}

}  // namespace marquee::orchestrator
