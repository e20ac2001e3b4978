// Times on a machine that others use too: work and yardstick take turns in one process, each turn
// gives one ratio, and the median of the ratios is the answer. Times alone mean little.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace marquee::workers {

double seconds_of(const std::function<void()>& work);

// One value a turn.
class Turns {
 public:
  void add(double value) { values_.push_back(value); }
  // Counters `name` (the median), `name`_low and `name`_high.
  void report(benchmark::State& state, const std::string& name) const;

 private:
  std::vector<double> values_;
};

}  // namespace marquee::workers
