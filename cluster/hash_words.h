// A hash of several numbers in their order, for keys in this process's memory.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace marquee::cluster {

// Never 0, which may stand for nothing.
inline std::uint64_t hash_words(std::initializer_list<std::uint64_t> words) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ULL;
  constexpr unsigned kShift = 29;
  std::uint64_t hash = 1;
  for (const std::uint64_t word : words) {
    hash = (hash ^ word) * kOdd;
    hash ^= hash >> kShift;
  }
  return hash == 0 ? 1 : hash;
}

}  // namespace marquee::cluster
