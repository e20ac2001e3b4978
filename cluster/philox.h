// Counter-based random streams (Philox4x32-10; Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). A value depends on (seed, purpose, step, sample) and its position in the
// stream, never on call order elsewhere, on ranks or on threads.
//
// Key = the two halves of the seed; counter = (block, purpose, step, sample), 32 bits each. One
// stream belongs to one thread. Proven by tests/cluster/philox_test.cpp (known answers of the
// authors).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace marquee::cluster {

// What a stream is for. The numbers are frozen: they are part of every result.
enum class Purpose : std::uint32_t {
  few_shot = 1,
  init = 2,
  mask_rate = 3,
  mask_scores = 4,
  dropout = 5,
  batch_order = 6,
  decode_sample = 7,
  decode_choice = 8,
  flip = 9,
  drawn = 10,
  bootstrap = 11,
  oracle = 12,
  crop = 13,
  view = 14,
  waypoints = 15,
  instance_dropout = 16,
  validation = 17,
  pretrain_tokenizer = 20,
  pretrain_transformer = 21,
  pretrain_features = 22,
  drawn_scenes = 23,
  comparison = 24,
};

using PhiloxBlock = std::array<std::uint32_t, 4>;

// One block of Philox4x32-10.
PhiloxBlock philox4x32(PhiloxBlock counter, std::array<std::uint32_t, 2> key);

class PhiloxStream {
 public:
  // Throws a defect when step or sample do not fit 32 bits.
  PhiloxStream(std::uint64_t seed, Purpose purpose, std::uint64_t step = 0,
               std::uint64_t sample = 0);

  std::uint32_t next_u32();
  std::uint64_t next_u64();                    // two words, the first one low
  float uniform();                             // [0, 1), multiples of 2^-24
  double uniform_double();                     // [0, 1), multiples of 2^-53
  std::uint64_t below(std::uint64_t limit);    // [0, limit), unbiased; limit > 0
  float normal();                              // mean 0, variance 1 (Box-Muller, two words each)
  void fill_uniform(std::span<float> values);  // the same values as repeated uniform()
  void fill_normal(std::span<float> values);   // the same values as repeated normal()

 private:
  void refill();

  std::array<std::uint32_t, 2> key_;
  PhiloxBlock counter_;
  PhiloxBlock block_{};
  unsigned used_ = 4;
};

// A permutation of 0..count-1 (Fisher-Yates).
std::vector<std::size_t> permutation(PhiloxStream& stream, std::size_t count);

}  // namespace marquee::cluster
