#include "tests/benchmarks/interleaved.h"

#include <algorithm>
#include <chrono>

namespace marquee::workers {

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void Turns::report(benchmark::State& state, const std::string& name) const {
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  state.counters[name] = sorted[sorted.size() / 2];
  state.counters[name + "_low"] = sorted.front();
  state.counters[name + "_high"] = sorted.back();
}

}  // namespace marquee::workers
