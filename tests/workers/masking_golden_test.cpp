#include <regex>

#include <gtest/gtest.h>

#include "tests/fixtures/reference_file.h"
#include "workers/models/masking.h"

namespace marquee::workers {
namespace {

using fixtures::expect_close;
using fixtures::expect_equal;
using fixtures::ReferenceFile;

constexpr const char* kMasking = "models/masking.h5";

// "N257_T12" or "N16": the numbers behind N and T (T = 0 where absent).
std::pair<std::int64_t, std::int64_t> sizes_in(const std::string& name) {
  std::smatch match;
  if (!std::regex_match(name, match, std::regex("N(\\d+)(?:_T(\\d+))?"))) {
    ADD_FAILURE() << "unexpected name " << name;
    return {1, 1};
  }
  return {std::stoll(match[1]), match[2].matched ? std::stoll(match[2]) : 0};
}

TEST(MaskingGolden, RatesAndCountsMatchTheReferenceForEverySchedule) {
  MARQUEE_REQUIRE_REFERENCE(kMasking);
  const ReferenceFile reference(kMasking);
  const Tensor draws = reference.read("u");
  for (const std::string& method : reference.file().children("rate")) {
    const MaskSchedule schedule = parse_mask_schedule(method);
    for (const std::string& size : reference.file().children("rate/" + method)) {
      const std::int64_t tokens = sizes_in(size).first;
      Tensor rates = torch::empty_like(draws);
      Tensor counts = torch::empty({draws.numel()}, torch::kInt64);
      for (std::int64_t i = 0; i < draws.numel(); ++i) {
        const float rate = mask_rate(schedule, draws[i].item<float>(), tokens);
        rates[i] = rate;
        counts[i] = mask_count(rate, tokens);
      }
      const std::string name = method + "/" + size;
      expect_close(rates, reference.read("rate/" + name), 2e-7, 0, "rate/" + name);
      expect_equal(counts, reference.read_ids("count/" + name), "count/" + name);
    }
  }
}

TEST(MaskingGolden, DecodeCountsMatchTheReferenceForEverySchedule) {
  MARQUEE_REQUIRE_REFERENCE(kMasking);
  const ReferenceFile reference(kMasking);
  for (const std::string& method : reference.file().children("decode_count")) {
    const MaskSchedule schedule = parse_mask_schedule(method);
    for (const std::string& size : reference.file().children("decode_count/" + method)) {
      const auto [tokens, steps] = sizes_in(size);
      Tensor counts = torch::empty({steps}, torch::kInt64);
      std::int64_t unknown = tokens;
      for (std::int64_t step = 0; step < steps; ++step) {
        unknown = decode_count(schedule, step, steps, tokens, unknown);
        counts[step] = unknown;
      }
      const std::string name = "decode_count/" + method + "/" + size;
      expect_equal(counts, reference.read_ids(name), name);
    }
  }
}

TEST(MaskingGolden, MasksTheTokensThatTheReferenceMasks) {
  MARQUEE_REQUIRE_REFERENCE(kMasking);
  const ReferenceFile reference(kMasking);
  for (const std::string& name : reference.file().children("function")) {
    const std::string at = "function/" + name + "/";
    const Tensor inputs = reference.read_ids(at + "inputs");
    const auto rate = static_cast<float>(reference.read_number(at + "rate"));
    const std::int64_t count = mask_count(rate, inputs.size(1));
    EXPECT_EQ(count, reference.read_ids(at + "count").item<std::int64_t>()) << name;
    const std::vector<std::int64_t> counts(static_cast<std::size_t>(inputs.size(0)), count);
    const MaskedTokens masked = apply_mask(inputs, reference.read(at + "scores"), counts);
    expect_equal(masked.ids, reference.read_ids(at + "masked_inputs"), name + " masked_inputs");
    expect_equal(masked.weights, reference.read(at + "weights"), name + " weights");
    expect_equal(inputs, reference.read_ids(at + "targets"), name + " targets");
    // The batch's own tokens are the seed; the stream behind it is jax's, so its scores are read.
    const Tensor seed = inputs.sum();
    expect_equal(seed, reference.read_ids(at + "key_seed"), name + " key_seed");
    expect_equal(torch::stack({seed.bitwise_right_shift(32), seed.bitwise_and(0xFFFFFFFF)}),
                 reference.read_ids(at + "key"), name + " key");
  }
}

}  // namespace
}  // namespace marquee::workers
