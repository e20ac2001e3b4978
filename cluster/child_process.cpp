#include "cluster/child_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/error.h"

extern char** environ;

namespace marquee::cluster {
namespace {

constexpr int kFirstFreeFd = 3;

// posix_spawn's file actions, destroyed on every way out.
class FileActions {
 public:
  FileActions() { check(::posix_spawn_file_actions_init(&actions_)); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }

  void open(int fd, const std::filesystem::path& path, int flags) {
    check(::posix_spawn_file_actions_addopen(&actions_, fd, path.c_str(), flags, 0644));
  }
  void duplicate(int from, int to) {
    check(::posix_spawn_file_actions_adddup2(&actions_, from, to));
  }
  void close_from(int fd) { check(::posix_spawn_file_actions_addclosefrom_np(&actions_, fd)); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  static void check(int error) {
    MARQUEE_CHECK(error == 0, "file actions of a child: " + errno_text(error));
  }
  posix_spawn_file_actions_t actions_;
};

// Children inherit the affinity of the thread that spawns them; it is put back afterwards.
class Affinity {
 public:
  explicit Affinity(const std::vector<int>& cpus) {
    if (cpus.empty() || ::sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    cpu_set_t wanted;
    CPU_ZERO(&wanted);
    for (const int cpu : cpus) {
      if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_SET(cpu, &wanted);
    }
    changed_ = ::sched_setaffinity(0, sizeof wanted, &wanted) == 0;
  }
  Affinity(const Affinity&) = delete;
  Affinity& operator=(const Affinity&) = delete;
  ~Affinity() {
    if (changed_) ::sched_setaffinity(0, sizeof before_, &before_);
  }

 private:
  cpu_set_t before_;
  bool changed_ = false;
};

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

ExitStatus status_of(int raw) {
  if (WIFSIGNALED(raw)) return {-1, WTERMSIG(raw)};
  return {WEXITSTATUS(raw), 0};
}

}  // namespace

std::string ExitStatus::describe() const {
  if (signal == 0) return "exit code " + std::to_string(exit_code);
  return "signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
}

ChildProcess ChildProcess::spawn(const SpawnOptions& options) {
  MARQUEE_CHECK(!options.argv.empty(), "a child needs a program");
  FileActions actions;
  actions.open(STDIN_FILENO, "/dev/null", O_RDONLY);
  if (!options.log_file.empty()) {
    actions.open(STDOUT_FILENO, options.log_file, O_WRONLY | O_CREAT | O_APPEND);
    actions.duplicate(STDOUT_FILENO, STDERR_FILENO);
  }
  if (!options.error_file.empty())
    actions.open(STDERR_FILENO, options.error_file, O_WRONLY | O_CREAT | O_APPEND);
  // Sources move out of the way of all targets first, so that no target overwrites one not yet
  // used.
  int next = kFirstFreeFd;
  for (const auto& [target, source] : options.inherit) {
    MARQUEE_CHECK(target >= kFirstFreeFd, "descriptors below 3 are not inherited by number");
    next = std::max(next, std::max(target, source) + 1);
  }
  std::vector<std::pair<int, int>> moves;
  for (const auto& [target, source] : options.inherit) {
    actions.duplicate(source, next);
    moves.emplace_back(target, next++);
  }
  int last_target = kFirstFreeFd - 1;
  for (const auto& [target, parked] : moves) {
    MARQUEE_CHECK(target == last_target + 1,
                  "inherited descriptors must be 3, 4, ... without a gap");
    actions.duplicate(parked, target);
    last_target = target;
  }
  actions.close_from(last_target + 1);

  std::vector<char*> argv = pointers_to(options.argv),
                     environment = pointers_to(options.environment);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  // The child starts with default signal handling and nothing blocked.
  sigset_t all, none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  int error = 0;
  {
    const Affinity affinity(options.cpus);
    error = ::posix_spawn(&pid, options.argv[0].c_str(), actions.get(), &attributes, argv.data(),
                          environment.data());
  }
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0)
    throw_environment(options.argv[0] + ": cannot be started (" + errno_text(error) + ")");
  return ChildProcess(pid);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), status_(other.status_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(status_, other.status_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0 || status_) return;
  kill(SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::optional<ExitStatus> ChildProcess::try_wait() {
  if (!status_) {
    int raw = 0;
    if (::waitpid(pid_, &raw, WNOHANG) == pid_) status_ = status_of(raw);
  }
  return status_;
}

ExitStatus ChildProcess::wait() {
  while (!status_) {
    int raw = 0;
    const pid_t ended = ::waitpid(pid_, &raw, 0);
    if (ended == pid_) status_ = status_of(raw);
    MARQUEE_CHECK(ended == pid_ || errno == EINTR, "waiting for a child: " + errno_text(errno));
  }
  return *status_;
}

void ChildProcess::kill(int signal) noexcept {
  if (pid_ > 0 && !status_) ::kill(pid_, signal);
}

std::vector<std::string> clean_environment() {
  constexpr std::array<std::string_view, 8> kDropped{
      "OMPI_", "PMIX_", "PMI_", "PRTE_", "OMP_", "KMP_", "MKL_NUM_THREADS=", "OPAL_"};
  std::vector<std::string> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const bool dropped =
        std::any_of(kDropped.begin(), kDropped.end(),
                    [&](std::string_view prefix) { return text.starts_with(prefix); });
    if (!dropped) kept.emplace_back(text);
  }
  return kept;
}

void set_variable(std::vector<std::string>& environment, const std::string& name,
                  const std::string& value) {
  std::erase_if(environment,
                [&](const std::string& entry) { return entry.starts_with(name + "="); });
  environment.push_back(name + "=" + value);
}

}  // namespace marquee::cluster
