#include "experiments/key_words.h"

#include <map>

#include "experiments/base_manifest.h"
#include "experiments/protocols.h"
#include "experiments/run_config.h"

namespace marquee::experiments {
namespace {

std::vector<std::string> sweep_protocols() {
  std::vector<std::string> names;
  for (const Protocol& protocol : protocols())
    if (fits_sweeps(protocol)) names.push_back(protocol.name);
  return names;
}

const std::map<std::string, std::vector<std::string>>& words_by_key() {
  static const std::map<std::string, std::vector<std::string>> kWords{
      {"method", method_names()},
      {"profile", {"mini", "imagenet256", "imagenet512"}},
      {"protocol", sweep_protocols()},
      {"prompt_kind", {"additive", "factorised", "free"}},
      {"conditions", {"class", "instance", "both", "none"}},
      {"marquee_schedule", {"linear", "cosine", "step"}},
      {"marquee_space", {"token", "embedding"}},
      {"sample_instances", {"drawn", "none"}},
      {"masking", {"released", "per_sample"}},
      {"mask_schedule", {"cosine", "uniform", "pow2", "pow2.5", "pow3", "log", "exp"}},
      {"reference", {"test", "val", "val200"}},
      {"compute", {"fp32", "bf16"}},
      {"family", {kMasked, kAutoregressive}},
      {"decode", {"accurate", "tensorflow"}},
      {"on_bad_record", {"refuse", "skip"}}};
  return kWords;
}

}  // namespace

const std::vector<std::string>& key_words(const std::string& key) {
  static const std::vector<std::string> kNone;
  const auto found = words_by_key().find(key);
  return found == words_by_key().end() ? kNone : found->second;
}

}  // namespace marquee::experiments
