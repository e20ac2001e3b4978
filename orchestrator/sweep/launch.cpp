#include "orchestrator/sweep/launch.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/stop_signal.h"

namespace marquee::orchestrator {
namespace {

// In the child, between fork and exec.
[[noreturn]] void become(const std::vector<std::string>& command, pid_t parent, int error_pipe) {
  // A process group of its own: the terminal's Ctrl-C must reach the ranks through us, in the form
  // that gives them time to checkpoint.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(3);
  const int null = open("/dev/null", O_RDONLY);
  if (null >= 0) dup2(null, STDIN_FILENO);
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  const int reason = errno;
  if (write(error_pipe, &reason, sizeof reason) < 0) _exit(4);
  _exit(3);
}

// Whether the process has a child that is not a zombie.
bool has_live_child(pid_t process) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "stat");
    std::string text;
    std::getline(file, text);
    const std::size_t end = text.rfind(')');  // the command before it may hold anything
    if (end == std::string::npos) continue;
    std::istringstream fields(text.substr(end + 1));
    char state = 'Z';
    pid_t parent = 0;
    fields >> state >> parent;
    if (parent == process && state != 'Z') return true;
  }
  return false;
}

// Open MPI's mpirun can deadlock with itself after its ranks have ended (PMIx_server_finalize, seen
// when one is killed at the wrong moment): then it has had children, and has none for longer than
// it may.
class HungLauncher {
 public:
  HungLauncher(pid_t launcher, double patience_seconds)
      : launcher_(launcher), patience_(patience_seconds) {}

  bool hangs() {
    constexpr double kIntervalSeconds = 0.5;
    const double now = cluster::monotonic_seconds();
    if (now < next_look_) return false;
    next_look_ = now + kIntervalSeconds;
    if (has_live_child(launcher_)) {
      had_children_ = true;
      alone_since_ = now;
    }
    return had_children_ && now - alone_since_ > patience_;
  }

 private:
  pid_t launcher_;
  double patience_, next_look_ = 0, alone_since_ = 0;
  bool had_children_ = false;
};

int wait_forwarding(pid_t child, double patience_seconds) {
  int forwarded = 0;
  HungLauncher launcher(child, patience_seconds);
  while (true) {
    if (launcher.hangs()) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
      cluster::throw_environment(
          "the launcher did not end although all that it had started had; it was killed. Finished "
          "runs are kept, the same command goes on from there");
    }
    int status = 0;
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) return status;
    if (ended < 0 && errno != EINTR) {
      cluster::throw_defect("waitpid: " + cluster::errno_text(errno));
    }
    if (cluster::stop_signal_count() > forwarded) {
      ++forwarded;
      kill(child, cluster::stop_signal() == SIGINT ? SIGUSR2 : SIGUSR1);
    }
    usleep(20'000);
  }
}

}  // namespace

bool started_by_mpi() {
  return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("PMIX_RANK") != nullptr;
}

int rank_from_environment() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK"}) {
    if (const char* value = std::getenv(name)) return std::atoi(value);
  }
  return 0;
}

std::vector<std::string> mpirun_words(bool as_root) {
  // --quiet: ranks report their errors themselves. --oversubscribe: the coordinator needs no slot.
  std::vector<std::string> words = {"mpirun", "--quiet", "--oversubscribe"};
  if (as_root) words.emplace_back("--allow-run-as-root");
  return words;
}

std::vector<std::string> mpirun_command(const std::string& program,
                                        const std::vector<std::string>& arguments, int workers,
                                        bool as_root) {
  std::vector<std::string> command = mpirun_words(as_root);
  command.insert(command.end(), {"-n", std::to_string(workers + 1), program});
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

int run_mpirun(const std::vector<std::string>& command, double patience_seconds) {
  cluster::install_stop_signals();
  int error_pipe[2];
  if (pipe2(error_pipe, O_CLOEXEC) != 0) {
    cluster::throw_environment("pipe: " + cluster::errno_text(errno));
  }
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) cluster::throw_environment("fork: " + cluster::errno_text(errno));
  if (child == 0) become(command, parent, error_pipe[1]);
  close(error_pipe[1]);
  int reason = 0;
  const bool not_started = read(error_pipe[0], &reason, sizeof reason) == sizeof reason;
  close(error_pipe[0]);
  const int status = wait_forwarding(child, patience_seconds);
  if (not_started) {
    cluster::throw_environment("cannot start " + command[0] + ": " + cluster::errno_text(reason) +
                               "; install Open MPI (Debian: openmpi-bin)");
  }
  if (WIFSIGNALED(status)) {
    cluster::throw_environment(command[0] + " was killed by signal " +
                               std::to_string(WTERMSIG(status)) +
                               "; finished runs are kept, the same command goes on from there");
  }
  return WEXITSTATUS(status);
}

int run_under_mpirun(const std::vector<std::string>& arguments, int workers) {
  return run_mpirun(mpirun_command(cluster::executable_path().string(), arguments, workers,
                                   /*as_root=*/geteuid() == 0));
}

}  // namespace marquee::orchestrator
