#include "cluster/philox.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

TEST(Philox, GivesTheKnownAnswersOfItsAuthors) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(PhiloxStream, StartsAtBlockZeroOfItsCounter) {
  PhiloxStream stream(0x0000000200000001, Purpose::flip, 5, 7);
  const PhiloxBlock block =
      philox4x32({0, static_cast<std::uint32_t>(Purpose::flip), 5, 7}, {1, 2});
  for (const std::uint32_t word : block) EXPECT_EQ(stream.next_u32(), word);
}

TEST(PhiloxStream, DiffersInSeedPurposeStepAndSample) {
  const std::uint64_t base = PhiloxStream(1, Purpose::init, 1, 1).next_u64();
  EXPECT_NE(base, PhiloxStream(2, Purpose::init, 1, 1).next_u64());
  EXPECT_NE(base, PhiloxStream(1, Purpose::flip, 1, 1).next_u64());
  EXPECT_NE(base, PhiloxStream(1, Purpose::init, 2, 1).next_u64());
  EXPECT_NE(base, PhiloxStream(1, Purpose::init, 1, 2).next_u64());
}

TEST(PhiloxStream, RefusesAStepBeyond32Bits) {
  EXPECT_THROW(PhiloxStream(1, Purpose::init, std::uint64_t{1} << 32), Error);
}

TEST(PhiloxStream, RefusesASampleBeyond32Bits) {
  EXPECT_THROW(PhiloxStream(1, Purpose::init, 0, std::uint64_t{1} << 32), Error);
}

TEST(PhiloxStream, StreamsSideBySideDoNotDisturbEachOther) {
  PhiloxStream alone(3, Purpose::drawn, 0, 1), first(3, Purpose::drawn, 0, 1),
      second(3, Purpose::drawn, 0, 2);
  for (int i = 0; i < 100; ++i) {
    const std::uint32_t word = first.next_u32();
    EXPECT_NE(word, second.next_u32()) << i;
    EXPECT_EQ(word, alone.next_u32()) << i;
  }
}

TEST(PhiloxStream, UniformStaysBelowOneAndFillsTheRange) {
  PhiloxStream stream(8, Purpose::mask_scores);
  float least = 1, most = 0;
  for (int i = 0; i < 100000; ++i) {
    const float value = stream.uniform();
    least = std::min(least, value), most = std::max(most, value);
    ASSERT_EQ(value * 0x1p24F, std::floor(value * 0x1p24F)) << "no multiple of 2^-24";
  }
  EXPECT_GE(least, 0);
  EXPECT_LT(least, 0.001F);
  EXPECT_LT(most, 1);
  EXPECT_GT(most, 0.999F);
}

TEST(PhiloxStream, BelowCoversLimitsOfEverySize) {
  PhiloxStream limits(5, Purpose::oracle), stream(6, Purpose::oracle);
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t limit = std::max<std::uint64_t>(1, limits.next_u64() >> (i % 64));
    ASSERT_LT(stream.below(limit), limit);
  }
  EXPECT_EQ(stream.below(1), 0u);
  EXPECT_THROW(stream.below(0), Error);
}

TEST(PhiloxStream, FillsWithTheValuesOfSingleDraws) {
  PhiloxStream one(9, Purpose::dropout), two(9, Purpose::dropout);
  one.next_u32();
  two.next_u32();
  std::vector<float> filled(103);
  one.fill_uniform(filled);
  for (const float value : filled) EXPECT_EQ(value, two.uniform());
  one.fill_normal(filled);
  for (const float value : filled) EXPECT_EQ(value, two.normal());
}

TEST(PhiloxStream, NormalHasMeanZeroAndVarianceOne) {
  PhiloxStream stream(4, Purpose::init);
  std::vector<float> values(200000);
  stream.fill_normal(values);
  double sum = 0, squares = 0;
  for (const double value : values) sum += value, squares += value * value;
  const double n = static_cast<double>(values.size());
  EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 5 * std::sqrt(2 / n));
}

TEST(PhiloxStream, BelowIsUniformAndStaysBelow) {
  PhiloxStream stream(4, Purpose::few_shot);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts.at(stream.below(7));
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
}

TEST(PhiloxStream, FillsOfAnyLengthLeaveTheStreamWhereSingleDrawsDo) {
  for (std::size_t before = 0; before < 5; ++before) {
    for (std::size_t count = 0; count < 14; ++count) {
      PhiloxStream one(9, Purpose::dropout, before, count), two(9, Purpose::dropout, before, count);
      for (std::size_t i = 0; i < before; ++i) one.next_u32(), two.next_u32();
      std::vector<float> filled(count);
      one.fill_uniform(filled);
      for (const float value : filled) ASSERT_EQ(value, two.uniform());
      ASSERT_EQ(one.next_u64(), two.next_u64()) << before << " then " << count;
    }
  }
}

TEST(Permutation, OfNoneAndOneIsTrivial) {
  PhiloxStream stream(4, Purpose::batch_order);
  EXPECT_TRUE(permutation(stream, 0).empty());
  EXPECT_EQ(permutation(stream, 1), (std::vector<std::size_t>{0}));
}

TEST(Permutation, PutsEveryElementFirstEquallyOften) {
  std::vector<int> first(5);
  for (std::uint64_t sample = 0; sample < 10000; ++sample) {
    PhiloxStream stream(4, Purpose::batch_order, 0, sample);
    ++first[permutation(stream, 5)[0]];
  }
  for (const int count : first) EXPECT_NEAR(count, 2000, 200);  // five standard deviations
}

TEST(Permutation, HoldsEveryNumberOnceAndIsNotTheIdentity) {
  PhiloxStream stream(4, Purpose::batch_order);
  std::vector<std::size_t> order = permutation(stream, 50);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], i);
}

}  // namespace
}  // namespace marquee::cluster
