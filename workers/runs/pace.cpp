#include "workers/runs/pace.h"

#include <algorithm>
#include <cstdlib>

#include "cluster/host.h"
#include "workers/tuning/gradient_tree.h"

namespace marquee::workers {
namespace {

// Seconds that a trainer may be silent, as tests say; 0 where nothing is said.
double deadline_of_tests() {
  const char* named = std::getenv("MARQUEE_DEADLINE_S");
  return named == nullptr ? 0.0 : std::atof(named);
}

}  // namespace

Pace::Pace(ProgressSink& sink, std::string phase)
    : sink_(sink), phase_(std::move(phase)), last_(cluster::monotonic_seconds()) {}

void Pace::report(std::int64_t step, std::int64_t total) {
  if (!goes_on(step, total)) throw Interrupted{};
}

void Pace::report(std::int64_t step, std::int64_t total, Communicator& gang) {
  const bool leaves = !goes_on(step, total);
  gang.be_patient_for(deadline_);
  std::unique_ptr<PendingSum> asked = ask_ranks(gang, leaves);
  if (gang.overlaps() && gang.size() > 1) asked.swap(asked_);
  if (asked != nullptr && any_said(*asked)) throw Interrupted{};
}

CountProgress Pace::counter() {
  return [this](std::int64_t done, std::int64_t total) { report(done, total); };
}

bool Pace::goes_on(std::int64_t step, std::int64_t total) {
  constexpr double kShortest = 120, kFactor = 50;
  const double now = cluster::monotonic_seconds();
  if (reported_) slowest_ = std::max(slowest_, now - last_);
  last_ = now;
  reported_ = true;
  const double told = deadline_of_tests();
  deadline_ = told > 0 ? told : std::max(kShortest, kFactor * slowest_);
  sink_.progress(phase_, step, total, deadline_);
  return !sink_.interrupted();
}

}  // namespace marquee::workers
