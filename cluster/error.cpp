#include "cluster/error.h"

#include <system_error>

namespace marquee::cluster {

Error::Error(ErrorKind kind, const std::string& message)
    : std::runtime_error(message), kind_(kind), message_(message) {}

std::string_view Error::name() const {
  switch (kind_) {
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::environment:
      return "environment";
    case ErrorKind::busy:
      return "busy";
    case ErrorKind::defect:
      break;
  }
  return "defect";
}

Error& Error::add_context(std::string_view context) {
  message_ = std::string(context) + ": " + message_;
  return *this;
}

void throw_usage(const std::string& message) {
  throw Error(ErrorKind::usage, message);
}
void throw_environment(const std::string& message) {
  throw Error(ErrorKind::environment, message);
}
void throw_defect(const std::string& message) {
  throw Error(ErrorKind::defect, message);
}

std::string errno_text(int number) {
  return std::system_category().message(number);
}

int exit_code_of(const std::exception& error) {
  const auto* ours = dynamic_cast<const Error*>(&error);
  return static_cast<int>(ours != nullptr ? ours->kind() : ErrorKind::defect);
}

}  // namespace marquee::cluster
