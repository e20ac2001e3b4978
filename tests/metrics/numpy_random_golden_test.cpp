// Every vector of numpy_randomstate.json.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "analysis/metrics/numpy_random.h"
#include "cluster/sha256.h"
#include "tests/fixtures/reference_file.h"
#include "tests/fixtures/reference_json.h"

namespace marquee::analysis {
namespace {

using nlohmann::json;
using Numbers = std::vector<std::int64_t>;

constexpr const char* kFile = "metrics/numpy_randomstate.json";

Numbers first(const Numbers& all, std::size_t count) {
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)};
}
Numbers last(const Numbers& all, std::size_t count) {
  return {all.end() - static_cast<std::ptrdiff_t>(count), all.end()};
}
std::string numbers_hash_of(const Numbers& all) {
  return cluster::sha256_hex(
      {reinterpret_cast<const char*>(all.data()), all.size() * sizeof(std::int64_t)});
}

class NumpyRandomGolden : public testing::Test {
 protected:
  void SetUp() override {
    MARQUEE_REQUIRE_REFERENCE(kFile);
    content_.emplace(kFile);
  }
  // Calls `check(fresh stream, entry)` for every seed that has `name`.
  template <typename Check>
  void each(const char* name, Check check) {
    int checked = 0;
    const fixtures::ReferenceJson seeds = content_->at("seeds");
    for (const std::string& seed : seeds.keys()) {
      if (!seeds.at(seed).has(name)) continue;
      SCOPED_TRACE(std::string(name) + " of seed " + seed);
      NumpyRandom random(static_cast<std::uint32_t>(std::stoull(seed)));
      check(random, seeds.at(seed).at(name).value());
      ++checked;
    }
    EXPECT_GT(checked, 0) << name;
  }

  std::optional<fixtures::ReferenceJson> content_;
};

TEST_F(NumpyRandomGolden, Words) {
  const auto words = [](NumpyRandom& random, std::size_t count) {
    std::vector<std::uint32_t> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(random.next_u32());
    return all;
  };
  each("raw32_1000", [&](NumpyRandom& random, const json& expected) {
    EXPECT_EQ(json(words(random, expected.size())), expected);
  });
  each("raw32_first10", [&](NumpyRandom& random, const json& expected) {
    EXPECT_EQ(json(words(random, expected.size())), expected);
  });
  each("raw32_last5_of_1000", [&](NumpyRandom& random, const json& expected) {
    words(random, 1000 - expected.size());
    EXPECT_EQ(json(words(random, expected.size())), expected);
  });
  each("raw32_10000th", [&](NumpyRandom& random, const json& expected) {
    words(random, 9999);
    EXPECT_EQ(json(random.next_u32()), expected);
  });
}

TEST_F(NumpyRandomGolden, Numbers) {
  each("random_sample_10", [](NumpyRandom& random, const json& expected) {
    for (const json& number : expected) EXPECT_EQ(random.random_sample(), number.get<double>());
  });
  each("randint_0_10_20", [](NumpyRandom& random, const json& expected) {
    for (const json& number : expected) EXPECT_EQ(random.below(10), number.get<std::uint64_t>());
  });
  each("randint_0_1000_10", [](NumpyRandom& random, const json& expected) {
    for (const json& number : expected) EXPECT_EQ(random.below(1000), number.get<std::uint64_t>());
  });
  each("choice_100_20_with_replacement", [](NumpyRandom& random, const json& expected) {
    for (const json& number : expected) EXPECT_EQ(random.below(100), number.get<std::uint64_t>());
  });
}

TEST_F(NumpyRandomGolden, Permutations) {
  for (const auto& [name, count] : std::map<const char*, std::size_t>{{"permutation_10", 10},
                                                                      {"permutation_64", 64},
                                                                      {"permutation_1", 1},
                                                                      {"shuffle_arange10", 10}}) {
    each(name, [&, size = count](NumpyRandom& random, const json& expected) {
      EXPECT_EQ(json(random.permutation(size)), expected);
    });
  }
  each("permutation_1000_first20", [](NumpyRandom& random, const json& expected) {
    EXPECT_EQ(json(first(random.permutation(1000), expected.size())), expected);
  });
  each("permutation_1000_sha256_int64", [](NumpyRandom& random, const json& expected) {
    EXPECT_EQ(json(numbers_hash_of(random.permutation(1000))), expected);
  });
  each("permutation_7_then_raw32_5", [](NumpyRandom& random, const json& expected) {
    random.permutation(7);
    for (const json& word : expected) EXPECT_EQ(random.next_u32(), word.get<std::uint32_t>());
  });
  each("permutation_1000_words_consumed", [](NumpyRandom& random, const json& expected) {
    NumpyRandom words = random;
    for (int i = 0; i < expected.get<int>(); ++i) words.next_u32();
    random.permutation(1000);
    EXPECT_EQ(random.next_u32(), words.next_u32());
  });
}

TEST_F(NumpyRandomGolden, Choices) {
  each("choice_10_10_norep", [](NumpyRandom& random, const json& expected) {
    EXPECT_EQ(json(random.choice(10, 10)), expected);
  });
  each("choice_5000_1000_norep_first20", [](NumpyRandom& random, const json& expected) {
    EXPECT_EQ(json(first(random.choice(5000, 1000), expected.size())), expected);
  });
  each("choice_5000_1000_norep_last5", [](NumpyRandom& random, const json& expected) {
    EXPECT_EQ(json(last(random.choice(5000, 1000), expected.size())), expected);
  });
  each("choice_5000_1000_norep_sha256_int64", [](NumpyRandom& random, const json& expected) {
    EXPECT_EQ(json(numbers_hash_of(random.choice(5000, 1000))), expected);
  });
  each("kid_order_then", [](NumpyRandom& random, const json& expected) {
    random.choice(5000, 1000);
    const json& second = expected.at("second_first10");
    EXPECT_EQ(json(first(random.choice(3000, 1000), second.size())), second);
    const json& third = expected.at("third_first10");
    EXPECT_EQ(json(first(random.choice(5000, 1000), third.size())), third);
  });
}

}  // namespace
}  // namespace marquee::analysis
