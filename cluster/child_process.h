// A child process with one owner: started by posix_spawn with exactly the descriptors, environment
// and processors that it is given, killed and reaped when the owner goes away. Not thread safe.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace marquee::cluster {

struct SpawnOptions {
  std::vector<std::string> argv;         // argv[0] is the program's path
  std::vector<std::string> environment;  // KEY=VALUE, complete
  std::map<int, int> inherit;            // descriptor in the child (3 or more) -> descriptor here
  std::vector<int> cpus;                 // affinity; empty: inherited
  std::filesystem::path log_file;        // standard output and error, appended; empty: inherited
  std::filesystem::path error_file{};    // standard error alone; empty: as standard output
};

struct ExitStatus {
  int exit_code = -1;  // -1 when a signal ended it
  int signal = 0;
  std::string describe() const;  // "exit code 3", "signal 9 (Killed)"
  bool operator==(const ExitStatus&) const = default;
};

class ChildProcess {
 public:
  // Throws environment when the program cannot be started.
  static ChildProcess spawn(const SpawnOptions& options);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  // Set, and the same from then on, once the process has ended.
  std::optional<ExitStatus> try_wait();
  ExitStatus wait();
  void kill(int signal) noexcept;

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
  std::optional<ExitStatus> status_;
};

// This process's environment without what belongs to its MPI rank or thread settings: OMPI_*,
// OPAL_*, PMIX_*, PMI_*, PRTE_*, OMP_*, MKL_NUM_THREADS, KMP_*.
std::vector<std::string> clean_environment();
// NAME=value, in the place of an entry of that name.
void set_variable(std::vector<std::string>& environment, const std::string& name,
                  const std::string& value);

}  // namespace marquee::cluster
