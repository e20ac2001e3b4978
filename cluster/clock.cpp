#include "cluster/clock.h"

#include "cluster/host.h"

namespace marquee::cluster {
namespace {

class RealClock : public Clock {
 public:
  double seconds() const override { return monotonic_seconds(); }
};

}  // namespace

const Clock& real_clock() {
  static const RealClock clock;
  return clock;
}

}  // namespace marquee::cluster
