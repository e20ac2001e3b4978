#include "cluster/philox.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

std::uint32_t low(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}
std::uint32_t high(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32);
}

float to_uniform(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24F;
}

}  // namespace

PhiloxBlock philox4x32(PhiloxBlock counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t first = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t second = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {high(second) ^ counter[1] ^ key[0], low(second), high(first) ^ counter[3] ^ key[1],
               low(first)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

PhiloxStream::PhiloxStream(std::uint64_t seed, Purpose purpose, std::uint64_t step,
                           std::uint64_t sample)
    : key_{low(seed), high(seed)},
      counter_{0, static_cast<std::uint32_t>(purpose), low(step), low(sample)} {
  MARQUEE_CHECK(high(step) == 0 && high(sample) == 0,
                "step and sample of a random stream exceed 32 bits");
}

void PhiloxStream::refill() {
  block_ = philox4x32(counter_, key_);
  ++counter_[0];
  MARQUEE_CHECK(counter_[0] != 0, "random stream used up");
  used_ = 0;
}

std::uint32_t PhiloxStream::next_u32() {
  if (used_ == 4) refill();
  return block_[used_++];
}

std::uint64_t PhiloxStream::next_u64() {
  const std::uint64_t first = next_u32();
  return first | (std::uint64_t{next_u32()} << 32);
}

float PhiloxStream::uniform() {
  return to_uniform(next_u32());
}

double PhiloxStream::uniform_double() {
  return static_cast<double>(next_u64() >> 11) * 0x1p-53;
}

std::uint64_t PhiloxStream::below(std::uint64_t limit) {
  MARQUEE_CHECK(limit > 0, "below(0)");
  // Values past the last whole multiple of `limit` are drawn again.
  const std::uint64_t tail = (0 - limit) % limit;
  std::uint64_t value = next_u64();
  while (value < tail) value = next_u64();
  return value % limit;
}

float PhiloxStream::normal() {
  // In (0, 1], so that the logarithm is finite.
  const double radius =
      std::sqrt(-2.0 * std::log((static_cast<double>(next_u32()) + 1.0) * 0x1p-32));
  const double angle = 2.0 * std::numbers::pi * static_cast<double>(next_u32()) * 0x1p-32;
  return static_cast<float>(radius * std::cos(angle));
}

void PhiloxStream::fill_uniform(std::span<float> values) {
  std::size_t i = 0;
  while (i < values.size() && used_ < 4) values[i++] = to_uniform(block_[used_++]);
  for (; i + 4 <= values.size(); i += 4) {
    refill();
    for (std::size_t lane = 0; lane < 4; ++lane) values[i + lane] = to_uniform(block_[lane]);
    used_ = 4;
  }
  for (; i < values.size(); ++i) values[i] = uniform();
}

void PhiloxStream::fill_normal(std::span<float> values) {
  for (float& value : values) value = normal();
}

std::vector<std::size_t> permutation(PhiloxStream& stream, std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[stream.below(i)]);
  return order;
}

}  // namespace marquee::cluster
