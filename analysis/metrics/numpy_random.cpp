#include "analysis/metrics/numpy_random.h"

#include <bit>
#include <numeric>

#include "cluster/error.h"

namespace marquee::analysis {

double NumpyRandom::random_sample() {
  const std::uint32_t high = next_u32() >> 5, low = next_u32() >> 6;
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

std::uint32_t NumpyRandom::masked(std::uint32_t most) {
  if (most == 0) return 0;
  const std::uint32_t mask = ~std::uint32_t{0} >> std::countl_zero(most);
  std::uint32_t value = next_u32() & mask;
  while (value > most) value = next_u32() & mask;
  return value;
}

std::uint64_t NumpyRandom::below(std::uint64_t limit) {
  MARQUEE_CHECK(limit > 0 && limit <= UINT32_MAX, "NumpyRandom::below: a limit of 32 bits");
  return masked(static_cast<std::uint32_t>(limit - 1));
}

std::vector<std::int64_t> NumpyRandom::permutation(std::size_t count) {
  MARQUEE_CHECK(count <= UINT32_MAX, "NumpyRandom::permutation: too many");
  std::vector<std::int64_t> order(count);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::size_t i = count; i-- > 1;)
    std::swap(order[i], order[masked(static_cast<std::uint32_t>(i))]);
  return order;
}

std::vector<std::int64_t> NumpyRandom::choice(std::size_t from, std::size_t count) {
  MARQUEE_CHECK(count <= from, "NumpyRandom::choice: more than there are");
  std::vector<std::int64_t> chosen = permutation(from);
  chosen.resize(count);
  return chosen;
}

}  // namespace marquee::analysis
