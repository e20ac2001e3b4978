#include "workers/commands/terminal_progress.h"

#include <cstdio>

#include <unistd.h>

#include "cluster/host.h"
#include "cluster/stop_signal.h"

namespace marquee::workers {

void TerminalProgress::progress(const std::string& phase, std::int64_t step, std::int64_t total,
                                double) {
  const double now = cluster::monotonic_seconds();
  const bool live = isatty(STDERR_FILENO) == 1;
  const double interval = live ? 1 : 10;
  if (!show_ || (phase == phase_ && now - shown_ < interval && step < total)) return;
  phase_ = phase;
  shown_ = now;
  std::fprintf(stderr, "%s%-6s %lld/%lld%s", live ? "\r\033[K" : "", phase.c_str(),
               static_cast<long long>(step), static_cast<long long>(total), live ? "" : "\n");
}

bool TerminalProgress::interrupted() {
  return cluster::stop_signal() != 0;
}

void TerminalProgress::end() {
  if (show_ && isatty(STDERR_FILENO) == 1) std::fputs("\r\033[K", stderr);
}

}  // namespace marquee::workers
