#include "cluster/program_output.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <utility>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/error.h"
#include "cluster/host.h"

namespace marquee::cluster {
namespace {

constexpr std::size_t kMostOutput = std::size_t{1} << 20;
constexpr useconds_t kShortestNapMicroseconds = 500, kLongestNapMicroseconds = 20'000;

// A file in memory that a child writes into.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("marquee-output", MFD_CLOEXEC)) {
    if (fd_ < 0) throw_environment("memfd_create: " + errno_text(errno));
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(fd_); }

  std::string path() const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_);
  }
  bool too_long() const {
    struct stat facts {};
    return ::fstat(fd_, &facts) == 0 && facts.st_size > static_cast<off_t>(kMostOutput);
  }
  std::string text() const {
    std::string bytes(kMostOutput, '\0');
    const ssize_t size = ::pread(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return bytes;
  }

 private:
  int fd_;
};

// "" when there is none.
std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::filesystem::path program = std::filesystem::path(folder) / name;
    std::error_code error;
    if (::access(program.c_str(), X_OK) == 0 && !std::filesystem::is_directory(program, error))
      return program.string();
  }
  return "";
}

}  // namespace

ProgramOutput run_program(const std::vector<std::string>& argv, double patience_seconds,
                          std::vector<std::string> environment) {
  MARQUEE_CHECK(!argv.empty(), "a program needs a name");
  const MemoryFile out, err;
  SpawnOptions options;
  options.argv = argv;
  options.argv[0] = find_program(argv[0]);
  if (options.argv[0].empty()) throw_environment(argv[0] + ": no such program in PATH");
  options.environment = std::move(environment);
  options.log_file = out.path();
  options.error_file = err.path();
  ChildProcess child = ChildProcess::spawn(options);
  ProgramOutput output;
  const double give_up = monotonic_seconds() + patience_seconds;
  useconds_t nap = kShortestNapMicroseconds;
  while (!child.try_wait()) {
    output.took_too_long = monotonic_seconds() > give_up;
    if (output.took_too_long || out.too_long() || err.too_long()) {
      child.kill(SIGKILL);
      break;
    }
    ::usleep(nap);
    nap = std::min(2 * nap, kLongestNapMicroseconds);
  }
  output.status = child.wait();
  if (out.too_long() || err.too_long()) output.status = ExitStatus{-1, SIGKILL};
  output.out = out.text();
  output.err = err.text();
  return output;
}

bool program_exists(const std::string& name) {
  return !find_program(name).empty();
}

}  // namespace marquee::cluster
