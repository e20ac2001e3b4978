// How a base is pretrained: a YAML file (experiments/pretrain_mini.yaml explains every key).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "workers/network_configs.h"

namespace marquee::workers {

struct StageOptions {
  std::int64_t steps = 0;
  std::int64_t batch = 32;
  double learning_rate = 1e-3;  // peak; linear warm-up, then cosine to zero
  std::int64_t warmup = 100;
  double weight_decay = 0;
  double smallest_crop = 0.5;  // side of a random square crop as a share of the short side, up to 1
};

struct PretrainRecipe {
  std::string name;     // "mini": folder of the base
  std::string version;  // "mini-v0"
  std::uint64_t seed = 0;
  std::string task;                   // data to pretrain on
  std::vector<std::string> splits;    // of that task
  std::int64_t scenes = 0;            // drawn by code, beside them
  std::vector<std::string> evaluate;  // tasks whose test images measure the tokenizer
  bool bf16 = false;                  // convolutions and matrix products of training in bfloat16
  int threads = 2;
  std::int64_t checkpoint_interval = 200;

  // Bases whose file is taken as it is; empty: the network is trained by this recipe.
  std::string tokenizer_base, features_base;

  TokenizerConfig tokenizer;
  StageOptions tokenizer_stage;
  double commitment = 0.25;       // weight of the commitment loss
  double codebook_decay = 0.99;   // moving average of the codes
  double dead_code_share = 0.02;  // a code used less than this share of the mean is re-seeded

  // Codebook and grid are the tokenizer's (of a borrowed one filled in by the command), classes the
  // data's.
  AnyTransformerConfig transformer;
  StageOptions transformer_stage;
  std::int64_t views = 2;  // random crops of an image that are tokenised, each also flipped
  double label_smoothing = 0.1;

  FeatureConfig features;
  StageOptions features_stage;

  std::string sha256;  // of the file
  // SHA-256 of all that decides a stage's numbers, data apart: what is said for the stage, for
  // those before it that it is built on, and for all. Another stage's options may change meanwhile.
  std::string tokenizer_identity, transformer_identity, features_identity;
};

// Sets codebook and grid side of the transformer, as its tokenizer has them.
void set_grid(PretrainRecipe& recipe, std::int64_t codebook, std::int64_t latent);

// Throws usage naming file, line and key for anything unknown, missing or out of range.
PretrainRecipe load_recipe(const std::filesystem::path& path);

}  // namespace marquee::workers
