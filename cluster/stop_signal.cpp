#include "cluster/stop_signal.h"

#include <csignal>
#include <initializer_list>

namespace marquee::cluster {
namespace {

volatile std::sig_atomic_t first_signal = 0;
volatile std::sig_atomic_t signal_count = 0;

void remember(int signal) {
  if (signal == SIGUSR1) signal = SIGTERM;
  if (signal == SIGUSR2) signal = SIGINT;
  if (first_signal == 0) first_signal = signal;
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

int stop_signal() {
  return first_signal;
}
int stop_signal_count() {
  return signal_count;
}

}  // namespace marquee::cluster
