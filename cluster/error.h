// The one exception type of the project: a kind that fixes the exit code, a message that names the
// file, key or value and what was expected, and context added on the way up.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace marquee::cluster {

// The value is the exit code; frozen.
enum class ErrorKind {
  usage = 2,        // bad command line, sweep file or request
  environment = 3,  // missing or damaged files, full disk, missing programs
  defect = 4,       // our mistake
  busy = 75,        // another coordinator holds the folder
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message);

  ErrorKind kind() const { return kind_; }
  // "usage", "environment", "defect" or "busy".
  std::string_view name() const;
  // Puts `context` in front: "context: message". Returns *this, for rethrowing.
  Error& add_context(std::string_view context);
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorKind kind_;
  std::string message_;
};

[[noreturn]] void throw_usage(const std::string& message);
[[noreturn]] void throw_environment(const std::string& message);
[[noreturn]] void throw_defect(const std::string& message);

// "No such file or directory" for ENOENT; thread safe.
std::string errno_text(int number);

// Exit code for an exception that reached main: the kind of an Error, else that of a defect.
int exit_code_of(const std::exception& error);

}  // namespace marquee::cluster

// Invariant check that stays on in release builds; never for user input.
#define MARQUEE_CHECK(condition, message)                                              \
  do {                                                                                 \
    if (!(condition))                                                                  \
      ::marquee::cluster::throw_defect(std::string("invariant broken: ") + (message)); \
  } while (false)
