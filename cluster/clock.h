// The time that deadlines and intervals are reckoned by: of this machine, or of a simulation that
// skips what would be waited for. Thread safe.
#pragma once

namespace marquee::cluster {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual double seconds() const = 0;  // monotonic
};

// monotonic_seconds().
const Clock& real_clock();

}  // namespace marquee::cluster
