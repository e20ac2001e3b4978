#include "orchestrator/progress_line.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <unistd.h>

namespace marquee::orchestrator {

std::string duration_text(double seconds) {
  const long whole = static_cast<long>(std::ceil(std::max(0.0, seconds)));
  char text[64];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%ld h %02ld min", whole / 3600, whole % 3600 / 60);
  } else if (whole >= 60) {
    std::snprintf(text, sizeof text, "%ld min %02ld s", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld s", whole);
  }
  return text;
}

std::string progress_text(const ScheduleCounts& counts, double running_share,
                          std::size_t fresh_done, double elapsed_seconds) {
  std::string text = std::to_string(counts.done) + "/" + std::to_string(counts.total) + " done";
  text += ", " + std::to_string(counts.failed) + " failed";
  text += ", " + std::to_string(counts.running) + " running";
  const double finished = static_cast<double>(fresh_done) + running_share;
  const double left = static_cast<double>(counts.waiting + counts.running) - running_share;
  if (left > 0.0 && finished > 0.2 && elapsed_seconds > 0.0) {
    text += ", about " + duration_text(elapsed_seconds * left / finished) + " left";
  }
  return text;
}

ProgressLine::ProgressLine(bool quiet, double interval_seconds)
    : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1), interval_seconds_(interval_seconds) {}

void ProgressLine::show(const std::string& text, double now, bool force) {
  if (quiet_ || text == last_text_) return;
  const double interval = terminal_ ? std::min(0.2, interval_seconds_) : interval_seconds_;
  if (!force && now - last_shown_ < interval) return;
  last_shown_ = now;
  last_text_ = text;
  if (terminal_) {
    std::fprintf(stderr, "\r\033[K%s", text.c_str());
    open_ = true;
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
  std::fflush(stderr);
}

void ProgressLine::end() {
  if (open_) std::fputc('\n', stderr);
  open_ = false;
}

}  // namespace marquee::orchestrator
