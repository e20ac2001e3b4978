// Why a run is where it is, in one sentence: waiting, running, done, to be tried again, set aside.
// Pure; thread safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace marquee::orchestrator {

struct AttemptFacts {
  int attempt = 0;
  std::uint64_t epoch = 0;
  std::string status;  // running, done, failed, interrupted
  std::string host, started, cause;
  int slot = -1;
};

struct RunFacts {
  std::string status;                  // pending, running, done, failed, cancelled
  std::vector<AttemptFacts> attempts;  // by number
  std::size_t ahead = 0;               // waiting runs of its sweep that start before it
  bool coordinator_lives = true;       // somebody holds the results folder's lease
};

std::string standing_of(const RunFacts& run);

}  // namespace marquee::orchestrator
