// NumPy's legacy RandomState (MT19937), bit for bit: the field's tools draw subsets and orders with
// it, and a value that depends on a subset is the same value only with the same subset. Proven by
// numpy_randomstate.json (tests/metrics/numpy_random_golden_test.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace marquee::analysis {

// Not thread safe: one stream.
class NumpyRandom {
 public:
  explicit NumpyRandom(std::uint32_t seed) : words_(seed) {}

  std::uint32_t next_u32() { return static_cast<std::uint32_t>(words_()); }
  double random_sample();  // [0, 1), 53 bits
  // randint(0, limit): `limit` in [1, 2^32).
  std::uint64_t below(std::uint64_t limit);
  std::vector<std::int64_t> permutation(std::size_t count);
  // choice(from, count, replace=False); throws a defect where count > from.
  std::vector<std::int64_t> choice(std::size_t from, std::size_t count);

 private:
  std::uint32_t masked(std::uint32_t most);  // [0, most] by rejection

  std::mt19937 words_;  // the standard prescribes the generator that NumPy uses
};

}  // namespace marquee::analysis
