#include "workers/models/decode.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "workers/random.h"

namespace marquee::workers {
namespace {

constexpr std::int64_t kPositions = 17, kCodes = 11;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Rows that know nothing, one token, half, and everything.
Tensor some_ids() {
  Tensor ids = torch::full({4, kPositions}, -1, torch::kInt64);
  ids[1][5] = 3;
  ids[2].narrow(0, 0, kPositions / 2).fill_(7);
  ids[3] = torch::arange(kPositions) % kCodes;
  return ids;
}

// Some function of the ids, so that a wrong choice in one step shows in the next.
Tensor some_logits(const Tensor& ids, std::int64_t step) {
  const Tensor places = torch::arange(ids.size(1) * kCodes).reshape({1, ids.size(1), kCodes});
  const Tensor seen = (ids + 2).sum(1).reshape({-1, 1, 1});
  return ((places * (step + 3) + seen * 7 + ids.unsqueeze(-1) * 5).to(torch::kFloat32)).sin() * 3;
}

// One step row by row and token by token; only sums of floats and logarithms are left to LibTorch,
// for the same bits.
DecodeStep plain_step(const DecodeOptions& options, const Tensor& initial_ids, const Tensor& ids,
                      std::int64_t step, const Tensor& logits, const DecodeNoise& noise) {
  DecodeStep result{step,
                    ids,
                    ids.clone(),
                    torch::full(ids.sizes(), kInfinity),
                    torch::full(ids.sizes(), kInfinity),
                    torch::zeros(ids.sizes(), torch::kBool),
                    torch::zeros({ids.size(0)}, torch::kInt64)};
  const float scale = options.choice_temperature *
                      (1.0F - static_cast<float>(step + 1) / static_cast<float>(options.steps));
  for (std::int64_t row = 0; row < ids.size(0); ++row) {
    std::int64_t unknown = 0;
    std::vector<float> sorted;
    for (std::int64_t at = 0; at < ids.size(1); ++at) {
      if (ids[row][at].item<std::int64_t>() == -1) {
        ++unknown;
        std::int64_t drawn = 0;
        float best = -kInfinity;
        for (std::int64_t code = 0; code < logits.size(2); ++code) {
          const float value =
              logits[row][at][code].item<float>() + noise.sample[row][at][code].item<float>();
          if (value > best) {
            best = value;
            drawn = code;
          }
        }
        const Tensor log_probability = logits[row][at][drawn] - logits[row][at].logsumexp(0);
        result.sampled_ids[row][at] = drawn;
        result.probability[row][at] = log_probability.exp();
        result.confidence[row][at] = log_probability + scale * noise.choice[row][at];
      }
      sorted.push_back(result.confidence[row][at].item<float>());
    }
    const std::int64_t count =
        decode_count(options.schedule, step, options.steps,
                     (initial_ids[row] == -1).sum().item<std::int64_t>(), unknown);
    std::sort(sorted.begin(), sorted.end());
    result.mask_count[row] = count;
    result.mask[row] = result.confidence[row] < sorted[static_cast<std::size_t>(count)];
  }
  return result;
}

void expect_same_step(const DecodeStep& actual, const DecodeStep& expected, const std::string& at) {
  EXPECT_EQ(actual.step, expected.step) << at;
  EXPECT_TRUE(torch::equal(actual.input_ids, expected.input_ids)) << at;
  EXPECT_TRUE(torch::equal(actual.sampled_ids, expected.sampled_ids)) << at;
  EXPECT_TRUE(torch::equal(actual.probability, expected.probability)) << at;
  EXPECT_TRUE(torch::equal(actual.confidence, expected.confidence)) << at;
  EXPECT_TRUE(torch::equal(actual.mask, expected.mask)) << at;
  EXPECT_TRUE(torch::equal(actual.mask_count, expected.mask_count)) << at;
}

TEST(Decode, HasTheBitsOfAPlainImplementationUnderEverySchedule) {
  for (const char* schedule : {"uniform", "cosine", "pow2.5", "log", "exp"}) {
    for (const auto& [steps, start] :
         {std::pair<std::int64_t, std::int64_t>{1, 0}, {5, 0}, {7, 2}}) {
      const DecodeOptions options{steps, 4.5F, parse_mask_schedule(schedule), start};
      const Tensor initial = some_ids();
      const NoiseFunction noise = [&](std::int64_t step) {
        return philox_noise(5, 40, initial.size(0), step, kPositions, kCodes);
      };
      Tensor ids = initial, sampled;
      std::int64_t seen = 0;
      const Tensor result =
          decode_tokens(options, initial, some_logits, noise, [&](const DecodeStep& step) {
            const std::string at = std::string(schedule) + " step " + std::to_string(step.step) +
                                   " of " + std::to_string(steps);
            const DecodeStep expected =
                plain_step(options, initial, ids, start + seen, some_logits(ids, start + seen),
                           noise(start + seen));
            expect_same_step(step, expected, at);
            sampled = expected.sampled_ids;
            ids = sampled.masked_fill(expected.mask, -1);
            ++seen;
          });
      EXPECT_EQ(seen, steps - start);
      EXPECT_TRUE(torch::equal(result, sampled)) << schedule;
      EXPECT_TRUE(torch::equal(result, decode_tokens(options, initial, some_logits, noise)))
          << schedule;
    }
  }
}

// Operators that hand a value of a tensor to the host.
int host_reads = 0;

TEST(Decode, ReadsNothingOnTheHostInsideAStep) {
  const at::CallbackHandle watch = at::addThreadLocalCallback(
      at::RecordFunctionCallback([](const at::RecordFunction& function)
                                     -> std::unique_ptr<at::ObserverContext> {
        for (const char* name : {"aten::item", "aten::_local_scalar_dense", "aten::is_nonzero",
                                 "aten::nonzero", "aten::equal"})
          host_reads += std::string_view(function.name()) == name ? 1 : 0;
        return nullptr;
      }).scopes({at::RecordScope::FUNCTION}));
  host_reads = 0;
  EXPECT_EQ(torch::ones({1}).item<float>(), 1.0F);
  EXPECT_GT(host_reads, 0) << "the watch sees nothing";

  DecodeOptions options;
  options.steps = 6;
  const DecodeNoise noise = philox_noise(1, 0, 4, 0, kPositions, kCodes);
  decode_tokens(
      options, some_ids(),
      [&](const Tensor& ids, std::int64_t step) {
        if (step == 0) host_reads = 0;
        return some_logits(ids, step);
      },
      [&](std::int64_t) { return noise; });
  EXPECT_EQ(host_reads, 0);
  at::removeCallback(watch);
}

TEST(PhiloxNoise, OfAnImageIsThatOfItsOwnStreams) {
  const int threads = at::get_num_threads();
  for (const int some : {1, 2}) {
    at::set_num_threads(some);
    const DecodeNoise noise = philox_noise(9, 100, 5, 3, kPositions, kCodes);
    for (std::uint64_t row = 0; row < 5; ++row) {
      PhiloxStream sample(9, cluster::Purpose::decode_sample, 3, 100 + row),
          choice(9, cluster::Purpose::decode_choice, 3, 100 + row);
      const auto at = static_cast<std::int64_t>(row);
      EXPECT_TRUE(torch::equal(noise.sample[at], gumbel_tensor(sample, {kPositions, kCodes})));
      EXPECT_TRUE(torch::equal(noise.choice[at], gumbel_tensor(choice, {kPositions})));
    }
  }
  at::set_num_threads(threads);
}

}  // namespace
}  // namespace marquee::workers
