// Progress of a run that nobody watches or stops.
#pragma once

#include <cstdint>
#include <string>

#include "workers/runs/run_executor.h"

namespace marquee::workers {

class QuietProgress : public ProgressSink {
 public:
  void progress(const std::string&, std::int64_t, std::int64_t, double) override {}
  bool interrupted() override { return false; }
};

}  // namespace marquee::workers
