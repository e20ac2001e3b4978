#include "cluster/stop_signal.h"

#include <csignal>
#include <ctime>
#include <initializer_list>

namespace marquee::cluster {
namespace {

volatile std::sig_atomic_t first_signal = 0;
volatile std::sig_atomic_t signal_count = 0;
volatile double last_counted = 0;  // monotonic seconds

constexpr double kSameRequestSeconds = 2.0;
constexpr double kNanosecond = 1e-9;

double now_in_handler() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);  // safe in a signal handler
  return static_cast<double>(now.tv_sec) + kNanosecond * static_cast<double>(now.tv_nsec);
}

void remember(int signal) {
  if (signal == SIGUSR1) signal = SIGTERM;
  if (signal == SIGUSR2) signal = SIGINT;
  const double now = now_in_handler();
  const bool again = first_signal != 0 && now - last_counted < kSameRequestSeconds;
  if (first_signal == 0) first_signal = signal;
  if (again) return;
  last_counted = now;
  signal_count = signal_count + 1;
}

}  // namespace

void install_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = remember;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2}) sigaction(signal, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void leave_stop_signals_to_parent() {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) std::signal(signal, SIG_IGN);
}

int stop_signal() {
  return first_signal;
}
int stop_signal_count() {
  return signal_count;
}

}  // namespace marquee::cluster
