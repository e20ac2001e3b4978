#include <gtest/gtest.h>

#include "tests/fixtures/reference_file.h"
#include "workers/models/decode.h"
#include "workers/models/prompt_generator.h"
#include "workers/models/transformer.h"

namespace marquee::workers {
namespace {

using fixtures::expect_close;
using fixtures::expect_equal;
using fixtures::ReferenceFile;

constexpr const char* kDecode = "models/decode.h5";

// "prompt/T4_temp4.5", "base/T12_temp0.0", "base_partial/T12_temp4.5", ...: every group with
// input_ids.
std::vector<std::string> runs_of(const ReferenceFile& reference) {
  std::vector<std::string> runs;
  for (const std::string& kind : reference.file().children("")) {
    if (!reference.file().is_group(kind)) continue;
    for (const std::string& run : reference.file().children(kind)) {
      if (reference.has(kind + "/" + run + "/input_ids")) runs.push_back(kind + "/" + run);
    }
  }
  return runs;
}

DecodeOptions options_of(const ReferenceFile& reference, const std::string& run) {
  const std::string ids = run + "/input_ids";
  DecodeOptions options;
  options.steps = reference.file().int_attribute(ids, "num_iter");
  options.choice_temperature =
      static_cast<float>(reference.file().double_attribute(ids, "choice_temperature"));
  options.start_step = reference.file().int_attribute(ids, "start_iter");
  return options;
}

TEST(DecodeGolden, ReplaysEveryIdMaskAndCountFromStoredLogitsAndNoise) {
  MARQUEE_REQUIRE_REFERENCE(kDecode);
  const ReferenceFile reference(kDecode);
  const std::vector<std::string> runs = runs_of(reference);
  ASSERT_FALSE(runs.empty());
  for (const std::string& run : runs) {
    const DecodeOptions options = options_of(reference, run);
    const auto stored = [&](const char* name) { return reference.read(run + "/" + name); };
    const Tensor ids = stored("input_ids").to(torch::kInt64);
    const Tensor logits = stored("logits"), sample = stored("gumbel_sample"),
                 choice = stored("gumbel_choice");
    const Tensor sampled = stored("sampled_ids"), probability = stored("selected_probs");
    const Tensor confidence = stored("confidence"), mask = stored("mask"),
                 count = stored("mask_len");
    const Tensor scale = stored("noise_scale");
    std::int64_t seen = 0;
    const Tensor result = decode_tokens(
        options, ids[0],
        [&](const Tensor&, std::int64_t step) { return logits[step - options.start_step]; },
        [&](std::int64_t step) {
          return DecodeNoise{sample[step - options.start_step], choice[step - options.start_step]};
        },
        [&](const DecodeStep& step) {
          const std::int64_t i = step.step - options.start_step;
          const std::string at = run + " step " + std::to_string(step.step) + " ";
          expect_equal(step.input_ids, ids[i], at + "input_ids");
          expect_equal(step.sampled_ids, sampled[i], at + "sampled_ids");
          expect_close(step.probability, probability[i], 0, 1e-4, at + "selected_probs");
          expect_close(step.confidence, confidence[i], 2e-5, 1e-4, at + "confidence");
          expect_equal(step.mask_count, count[i], at + "mask_len");
          expect_equal(step.mask, mask[i], at + "mask");
          const float ratio = static_cast<float>(step.step + 1) / static_cast<float>(options.steps);
          EXPECT_NEAR(options.choice_temperature * (1.0F - ratio), scale[i].item<float>(), 1e-6)
              << at;
          ++seen;
        });
    EXPECT_EQ(seen, options.steps - options.start_step) << run;
    expect_equal(result, reference.read_ids(run + "/final_ids"), run + " final_ids");
    const Tensor sequences = reference.read_ids(run + "/final_seqs");
    expect_equal(sequences.select(1, options.steps - 1), result, run + " final_seqs");
  }
}

TEST(DecodeGolden, NetworkGivesTheStoredLogitsForTheStoredIds) {
  MARQUEE_REQUIRE_REFERENCE(kDecode);
  const ReferenceFile reference(kDecode);
  const TransformerConfig config{reference.config_int("D"),     reference.config_int("L"),
                                 reference.config_int("H"),     reference.config_int("M"),
                                 reference.config_int("K"),     reference.config_int("classes"),
                                 reference.config_int("latent")};
  const ParameterMap base = reference.weights();
  const ParameterMap prompt = reference.weights("prompt:");
  for (const std::string& run : runs_of(reference)) {
    const Tensor ids = reference.read_ids(run + "/input_ids"),
                 logits = reference.read(run + "/logits");
    Tensor prompts;
    if (run.starts_with("prompt/")) {
      const PromptConfig generator{prompt.at("prompt_embeddings/embedding").size(0),
                                   prompt.at("prompt_position_embeddings/embedding").size(0),
                                   config.width};
      prompts = prompt_tokens(generator, prompt, reference.read_ids("prompt/labels"));
    }
    if (!prompts.defined()) {
      const Tensor slot = config.codebook + reference.read_ids("base/classes");
      expect_equal(ids[0].select(1, 0), slot.narrow(0, 0, ids.size(1)), run + " class slot");
    }
    for (std::int64_t step = 0; step < ids.size(0); ++step) {
      const Tensor actual =
          prompts.defined() ? prompted_logits(config, base, ids[step], prompts)
                            : base_logits(config, base, ids[step]).narrow(-1, 0, config.codebook);
      expect_close(actual, logits[step], 2e-5, 0, run + " logits of step " + std::to_string(step));
    }
  }
}

}  // namespace
}  // namespace marquee::workers
