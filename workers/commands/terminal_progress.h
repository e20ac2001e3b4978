// Progress of one command on standard error: a line rewritten in place on a terminal, plain lines
// in a log file.
#pragma once

#include <string>

#include "workers/runs/run_executor.h"

namespace marquee::workers {

class TerminalProgress : public ProgressSink {
 public:
  explicit TerminalProgress(bool quiet) : show_(!quiet) {}

  void progress(const std::string& phase, std::int64_t step, std::int64_t total, double) override;
  bool interrupted() override;
  // Clears the line being rewritten.
  void end();

 private:
  bool show_;
  std::string phase_;
  double shown_ = 0;
};

}  // namespace marquee::workers
