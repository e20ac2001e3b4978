// The sweep's progress as text: runs, workers, rate, time left. One line rewritten in place on a
// terminal, plain lines now and then in a log file. Not thread safe.
#pragma once

#include <optional>
#include <string>

#include "orchestrator/scheduling/scheduler.h"
#include "orchestrator/sweep/protocol.h"

namespace marquee::orchestrator {

// Share of an attempt (0..1) done at this point of a phase, by a plain split of the phases.
double share_of(const RunProgress& progress);

struct Forecast {
  std::optional<double> runs_per_hour, seconds_left;
};

// `running_share` is the summed share (0..1 each) of the running runs; `fresh_done` counts the runs
// finished by this command, which took `elapsed_seconds` until now: rate and time left are scaled
// from them, and absent before there is enough to go by.
Forecast forecast(const ScheduleCounts& counts, double running_share, std::size_t fresh_done,
                  double elapsed_seconds);

// "12/40 done, 1 failed, 2 running on 2 workers, 90 runs/h, about 3 min 10 s left"; cancelled runs
// where there are some.
std::string progress_text(const ScheduleCounts& counts, std::size_t workers,
                          const Forecast& forecast);

// The environment variable in which `marquee sweep` tells its ranks, which write through mpirun's
// pipes, how many columns the terminal has.
inline constexpr const char* kTerminalVariable = "MARQUEE_TERMINAL_COLUMNS";
// Columns of the terminal that standard error is, or that the variable names; 0 for none.
int terminal_columns();

class ProgressLine {
 public:
  // `interval_seconds`: at most one plain line in this time when standard error is no terminal.
  explicit ProgressLine(bool quiet, double interval_seconds = 10.0);
  // `now` in monotonic seconds; `force` prints whatever the interval says.
  void show(const std::string& text, double now, bool force = false);
  // Ends a line being rewritten, so that other output starts on a line of its own.
  void end();

 private:
  bool quiet_;
  int columns_;  // of the terminal; 0: there is none
  bool open_ = false;
  double interval_seconds_;
  double last_shown_ = -1e9;
  std::string last_text_;
};

}  // namespace marquee::orchestrator
