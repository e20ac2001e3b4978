#include "orchestrator/sweep/progress_line.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

#include "orchestrator/human.h"

namespace marquee::orchestrator {
namespace {

constexpr int kUsualColumns = 80;

}  // namespace

double share_of(const RunProgress& progress) {
  struct Phase {
    const char* name;
    double start, length;
  };
  constexpr Phase kPhases[] = {{"load", 0.0, 0.02},   {"cache", 0.02, 0.08}, {"tune", 0.1, 0.6},
                               {"sample", 0.7, 0.25}, {"score", 0.95, 0.03}, {"save", 0.98, 0.02}};
  for (const Phase& phase : kPhases) {
    if (progress.phase != phase.name) continue;
    const double within = progress.total > 0
                              ? std::min(1.0, static_cast<double>(progress.step) /
                                                  static_cast<double>(progress.total))
                              : 0.0;
    return phase.start + phase.length * within;
  }
  return 0.0;
}

Forecast forecast(const ScheduleCounts& counts, double running_share, std::size_t fresh_done,
                  double elapsed_seconds) {
  constexpr double kLeastFinished = 0.2, kSecondsPerHour = 3600.0;
  Forecast forecast;
  const double finished = static_cast<double>(fresh_done) + running_share;
  if (finished <= kLeastFinished || elapsed_seconds <= 0.0) return forecast;
  forecast.runs_per_hour = kSecondsPerHour * finished / elapsed_seconds;
  const double left = static_cast<double>(counts.waiting + counts.running) - running_share;
  if (left > 0.0) forecast.seconds_left = elapsed_seconds * left / finished;
  return forecast;
}

std::string progress_text(const ScheduleCounts& counts, std::size_t workers,
                          const Forecast& forecast) {
  std::string text = std::to_string(counts.done) + "/" + std::to_string(counts.total) + " done";
  text += ", " + std::to_string(counts.failed) + " failed";
  if (counts.cancelled > 0) text += ", " + std::to_string(counts.cancelled) + " cancelled";
  text += ", " + std::to_string(counts.running) + " running on " + std::to_string(workers) +
          (workers == 1 ? " worker" : " workers");
  if (forecast.runs_per_hour && forecast.seconds_left) {
    text += ", " + human_rate(*forecast.runs_per_hour);
    text += ", about " + human_seconds(std::ceil(*forecast.seconds_left)) + " left";
  }
  return text;
}

int terminal_columns() {
  if (isatty(STDERR_FILENO) == 1) {
    winsize size{};
    const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : kUsualColumns;
  }
  const char* told = std::getenv(kTerminalVariable);
  return told == nullptr ? 0 : std::max(0, std::atoi(told));
}

ProgressLine::ProgressLine(bool quiet, double interval_seconds)
    : quiet_(quiet), columns_(terminal_columns()), interval_seconds_(interval_seconds) {}

void ProgressLine::show(const std::string& text, double now, bool force) {
  constexpr double kTerminalSeconds = 0.2;
  if (quiet_ || text == last_text_) return;
  const bool terminal = columns_ > 0;
  const double interval =
      terminal ? std::min(kTerminalSeconds, interval_seconds_) : interval_seconds_;
  if (!force && now - last_shown_ < interval) return;
  last_shown_ = now;
  last_text_ = text;
  if (terminal) {
    // A line that wraps could not be rewritten.
    std::fprintf(stderr, "\r\033[K%.*s", columns_ - 1, text.c_str());
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
