// Images a second from a TFDS folder through the public reader: record, checksums, example, decoded
// image, and on request 64x64 floats. Prints one JSON object. data_reading.py compares it with
// other tools.
//
//   marquee_data_benchmark TFDS TASK decoded|resized [THREADS [ROUNDS]]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/resource.h>

#include "cluster/error.h"
#include "datasets/dataset.h"
#include "datasets/resize.h"

namespace marquee::datasets {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Of all threads.
double cpu_seconds_now() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

// One pass over all images; returns a sum that depends on each.
double read_all(const std::vector<std::unique_ptr<Dataset>>& splits, bool resized, int threads) {
  constexpr std::size_t kBlock = 16;
  constexpr int kSize = 64;
  double total = 0;
  for (const auto& split : splits) {
    std::atomic<std::size_t> next = 0;
    std::vector<double> sums(static_cast<std::size_t>(threads));
    std::vector<std::thread> workers;
    for (double& sum : sums) {
      workers.emplace_back([&] {
        double mine = 0;
        for (std::size_t at = next.fetch_add(kBlock); at < split->size();
             at = next.fetch_add(kBlock)) {
          for (std::size_t i = at; i < std::min(at + kBlock, split->size()); ++i) {
            const Image image = split->image(i);
            mine += image.rgb.back();
            if (resized) mine += resize_to_float(image, kSize, kSize).rgb.back();
          }
        }
        sum = mine;
      });
    }
    for (std::thread& worker : workers) worker.join();
    for (const double sum : sums) total += sum;
  }
  return total;
}

int run(int count, char** arguments) {
  if (count < 4) {
    std::fprintf(stderr, "usage: %s TFDS TASK decoded|resized [THREADS [ROUNDS]]\n", arguments[0]);
    return 2;
  }
  const TaskInfo& task = find_task(arguments[2]);
  const bool resized = std::string_view(arguments[3]) == "resized";
  const int threads = count > 4 ? std::atoi(arguments[4]) : 2;
  const int rounds = count > 5 ? std::atoi(arguments[5]) : 1;
  const Clock::time_point opening = Clock::now();
  std::vector<std::unique_ptr<Dataset>> splits;
  std::size_t images = 0;
  for (const char* name : {"trainval", "test"}) {
    splits.push_back(open_dataset(task, name, arguments[1]));
    images += splits.back()->size();
  }
  const double open_seconds = seconds_since(opening);
  const Clock::time_point start = Clock::now();
  const double cpu_start = cpu_seconds_now();
  double sum = 0;
  for (int round = 0; round < rounds; ++round) sum += read_all(splits, resized, threads);
  const double seconds = seconds_since(start);
  const double cpu_seconds = cpu_seconds_now() - cpu_start;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"images\": %zu, \"seconds\": %.4f, \"cpu_seconds\": %.4f, \"open_seconds\": %.3f, "
      "\"peak_mb\": %.1f, \"sum\": %.0f}\n",
      images * static_cast<std::size_t>(rounds), seconds, cpu_seconds, open_seconds,
      static_cast<double>(usage.ru_maxrss) / 1024, sum);
  return 0;
}

}  // namespace
}  // namespace marquee::datasets

int main(int count, char** arguments) {
  try {
    return marquee::datasets::run(count, arguments);
  } catch (const marquee::cluster::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 3;
  }
}
