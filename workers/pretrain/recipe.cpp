#include "workers/pretrain/recipe.h"

#include <set>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/sha256.h"
#include "cluster/suggest.h"
#include "experiments/base_manifest.h"

namespace marquee::workers {
namespace {

constexpr std::uintmax_t kMaxRecipeBytes = std::uintmax_t{1} << 20;

// One mapping of the file. Every key is read exactly once through it; finish() refuses the rest.
class Section {
 public:
  Section(std::string file, std::string name, const YAML::Node& node)
      : file_(std::move(file)), name_(std::move(name)), node_(node) {
    if (!node_.IsMap()) fail(node_, "expected keys and values");
  }

  bool has(const std::string& key) const { return static_cast<bool>(node_[key]); }
  template <typename Value>
  Value get(const std::string& key, Value low, Value high) {
    const YAML::Node value = find(key);
    try {
      const auto number = value.as<Value>();
      if (number >= low && number <= high) return number;
    } catch (const YAML::Exception&) {
    }
    fail(value, "'" + key + "' must be a number from " + text_of(low) + " to " + text_of(high));
  }
  std::string text(const std::string& key) {
    const YAML::Node value = find(key);
    if (!value.IsScalar() || value.Scalar().empty()) fail(value, "'" + key + "' must be a word");
    return value.Scalar();
  }
  template <typename Value>
  std::vector<Value> list(const std::string& key) {
    const YAML::Node value = find(key);
    try {
      return value.as<std::vector<Value>>();
    } catch (const YAML::Exception&) {
      fail(value, "'" + key + "' must be a list");
    }
  }
  Section section(const std::string& key) { return {file_, key, find(key)}; }
  // Keys and values as they stand, without comments.
  std::string content() const { return YAML::Dump(node_); }

  // Throws usage at the section.
  [[noreturn]] void refuse(const std::string& what) const { fail(node_, name_ + ": " + what); }

  void finish() const {
    const std::vector<std::string> valid(known_.begin(), known_.end());
    for (const auto& entry : node_) {
      const auto key = entry.first.as<std::string>();
      if (!known_.contains(key)) {
        fail(entry.first, "unknown key '" + key + "' in '" + name_ + "'" +
                              cluster::did_you_mean(key, valid) + "; expected one of " +
                              cluster::join(valid));
      }
    }
  }

 private:
  template <typename Value>
  static std::string text_of(Value value) {
    YAML::Emitter out;
    out << value;
    return out.c_str();
  }
  YAML::Node find(const std::string& key) {
    known_.insert(key);
    const YAML::Node value = node_[key];
    if (!value) fail(node_, "key '" + key + "' is missing in '" + name_ + "'");
    return value;
  }
  [[noreturn]] void fail(const YAML::Node& node, const std::string& what) const {
    cluster::throw_usage(file_ + ":" + std::to_string(node.Mark().line + 1) + ": " + what);
  }

  std::string file_, name_;
  YAML::Node node_;
  std::set<std::string> known_;
};

constexpr std::int64_t kMaxSize = 1 << 16;

StageOptions stage_of(Section& section) {
  StageOptions options;
  options.steps = section.get<std::int64_t>("steps", 1, 100'000'000);
  options.batch = section.get<std::int64_t>("batch", 1, kMaxSize);
  options.learning_rate = section.get<double>("learning_rate", 0, 1);
  options.warmup = section.get<std::int64_t>("warmup", 0, options.steps - 1);
  options.weight_decay = section.get<double>("weight_decay", 0, 1);
  options.smallest_crop = section.get<double>("smallest_crop", 0.05, 1);
  return options;
}

// The base whose network a section names instead of training one; empty where it trains one.
std::string borrowed(Section& section) {
  if (!section.has("base")) return "";
  std::string base = section.text("base");
  section.finish();
  return base;
}

void read_tokenizer(Section& tokenizer, PretrainRecipe& recipe) {
  TokenizerConfig& sizes = recipe.tokenizer;
  sizes.image_size = tokenizer.get<std::int64_t>("image_size", 8, 4096);
  sizes.filters = tokenizer.get<std::int64_t>("filters", 1, kMaxSize);
  sizes.groups = tokenizer.get<std::int64_t>("groups", 1, kMaxSize);
  sizes.multipliers = tokenizer.list<std::int64_t>("multipliers");
  sizes.blocks = tokenizer.get<std::int64_t>("blocks", 1, 64);
  sizes.embedding = tokenizer.get<std::int64_t>("embedding", 1, kMaxSize);
  sizes.codebook = tokenizer.get<std::int64_t>("codebook", 2, kMaxSize);
  recipe.commitment = tokenizer.get<double>("commitment", 0, 100);
  recipe.codebook_decay = tokenizer.get<double>("codebook_decay", 0, 1);
  recipe.dead_code_share = tokenizer.get<double>("dead_code_share", 0, 1);
  recipe.tokenizer_stage = stage_of(tokenizer);
  tokenizer.finish();
  if (sizes.filters % sizes.groups != 0 || sizes.multipliers.empty() ||
      sizes.multipliers.size() > 10 ||
      sizes.image_size % (std::int64_t{1} << (sizes.multipliers.size() - 1)) != 0) {
    tokenizer.refuse(
        "filters must be a multiple of groups, and image_size of 2 to the number of halvings");
  }
}

void read_transformer(Section& transformer, PretrainRecipe& recipe) {
  const std::string family =
      transformer.has("family") ? transformer.text("family") : experiments::kMasked;
  if (family == experiments::kAutoregressive) {
    recipe.transformer = GptConfig{};
  } else if (family == experiments::kMasked) {
    recipe.transformer = TransformerConfig{};
  } else {
    transformer.refuse("'family' is '" + family + "'; expected " + experiments::kMasked + " or " +
                       experiments::kAutoregressive);
  }
  std::visit(
      [&](auto& model) {
        model.width = transformer.get<std::int64_t>("width", 1, kMaxSize);
        model.layers = transformer.get<std::int64_t>("layers", 1, 1024);
        model.heads = transformer.get<std::int64_t>("heads", 1, 1024);
        model.mlp = transformer.get<std::int64_t>("mlp", 1, kMaxSize);
        if (model.width % model.heads != 0) transformer.refuse("width must be a multiple of heads");
      },
      recipe.transformer);
  if (recipe.tokenizer_base.empty())
    set_grid(recipe, recipe.tokenizer.codebook, recipe.tokenizer.latent());
  recipe.views = transformer.get<std::int64_t>("views", 1, 64);
  recipe.label_smoothing = transformer.get<double>("label_smoothing", 0, 0.99);
  recipe.transformer_stage = stage_of(transformer);
  transformer.finish();
}

void read_features_section(Section& features, PretrainRecipe& recipe) {
  recipe.features.channels = features.list<std::int64_t>("channels");
  if (!recipe.tokenizer_base.empty())
    features.refuse("a feature network is trained beside its tokenizer; name the base of both");
  recipe.features.image_size = recipe.tokenizer.image_size;
  recipe.features_stage = stage_of(features);
  features.finish();
  for (const std::int64_t channels : recipe.features.channels) {
    if (channels < 8 || channels % 8 != 0 || channels > kMaxSize)
      features.refuse("channels must be multiples of 8");
  }
}

}  // namespace

void set_grid(PretrainRecipe& recipe, std::int64_t codebook, std::int64_t latent) {
  std::visit(
      [&](auto& model) {
        model.codebook = codebook;
        model.latent = latent;
      },
      recipe.transformer);
  if (auto* gpt = std::get_if<GptConfig>(&recipe.transformer)) gpt->block_size = gpt->tokens();
}

PretrainRecipe load_recipe(const std::filesystem::path& path) {
  const std::string bytes = cluster::read_file(path, kMaxRecipeBytes);
  YAML::Node root;
  try {
    root = YAML::Load(bytes);
  } catch (const YAML::Exception& error) {
    cluster::throw_usage(path.string() + ":" + std::to_string(error.mark.line + 1) + ": " +
                         error.msg);
  }
  PretrainRecipe recipe;
  recipe.sha256 = cluster::sha256_hex(bytes);
  Section top(path.string(), "recipe", root);
  recipe.name = top.text("name");
  recipe.version = top.text("version");
  recipe.seed = top.get<std::uint64_t>("seed", 0, UINT64_MAX);
  recipe.threads = top.get<int>("threads", 1, 1024);
  recipe.checkpoint_interval = top.get<std::int64_t>("checkpoint_interval", 1, 1'000'000);
  const std::string compute = top.text("compute");
  if (compute != "fp32" && compute != "bf16") {
    cluster::throw_usage(path.string() + ": 'compute' is '" + compute + "'; expected fp32 or bf16");
  }
  recipe.bf16 = compute == "bf16";

  Section data = top.section("data");
  recipe.task = data.text("task");
  recipe.splits = data.list<std::string>("splits");
  if (data.has("scenes")) recipe.scenes = data.get<std::int64_t>("scenes", 0, 1'000'000);
  recipe.evaluate = data.list<std::string>("evaluate");
  data.finish();

  Section tokenizer = top.section("tokenizer");
  recipe.tokenizer_base = borrowed(tokenizer);
  if (recipe.tokenizer_base.empty()) read_tokenizer(tokenizer, recipe);
  Section transformer = top.section("transformer");
  read_transformer(transformer, recipe);
  Section features = top.section("features");
  recipe.features_base = borrowed(features);
  if (recipe.features_base.empty()) read_features_section(features, recipe);
  top.finish();

  const std::string common =
      fmt::format("seed {}\ncompute {}\n{}\n", recipe.seed, compute, data.content());
  const std::string tokens = common + tokenizer.content();
  recipe.tokenizer_identity = cluster::sha256_hex(tokens);
  recipe.transformer_identity = cluster::sha256_hex(tokens + "\n" + transformer.content());
  recipe.features_identity = cluster::sha256_hex(
      fmt::format("{}image_size {}\n{}", common, recipe.tokenizer.image_size, features.content()));
  return recipe;
}

}  // namespace marquee::workers
