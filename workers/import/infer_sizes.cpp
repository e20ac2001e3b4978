#include "workers/import/infer_sizes.h"

#include <cmath>

#include "cluster/error.h"

namespace marquee::workers {
namespace {

// Looks sizes up in the shapes of a network.
class Shapes {
 public:
  explicit Shapes(const SourceNetwork& network) : network_(network) {}

  // Extent of an axis of a tensor of that rank, in our layout.
  std::int64_t extent(const std::string& name, std::size_t axis, std::size_t rank) const {
    const auto found = network_.tensors.find(name);
    if (found == network_.tensors.end()) missing(name);
    const std::vector<std::int64_t> shape = found->second.shape();
    if (shape.size() != rank || shape[axis] < 1) {
      fail("tensor '" + found->second.name + "' has shape " +
           shape_text(found->second.stored.shape) + ", expected " + std::to_string(rank) +
           " axes, none empty");
    }
    return shape[axis];
  }
  // How many modules "<prefix>0<separator>...", "<prefix>1<separator>..." there are, counted from
  // 0.
  std::int64_t modules(const std::string& prefix, char separator) const {
    std::int64_t count = 0;
    while (has(prefix + std::to_string(count) + separator)) ++count;
    return count;
  }
  bool has(const std::string& prefix) const {
    const auto found = network_.tensors.lower_bound(prefix);
    return found != network_.tensors.end() && found->first.starts_with(prefix);
  }
  [[noreturn]] void missing(const std::string& name) const {
    fail("tensor '" + network_.prefix + name + "' is missing");
  }
  [[noreturn]] void fail(const std::string& what) const {
    cluster::throw_environment(network_.source + ": " + what);
  }

 private:
  const SourceNetwork& network_;
};

// Side of a square of `count` places.
std::int64_t side_of(std::int64_t count, const Shapes& shapes, const std::string& what) {
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(count))));
  if (side * side != count) shapes.fail(what + " make no square grid of tokens");
  return side;
}

std::int64_t ratio(std::int64_t whole, std::int64_t part, const Shapes& shapes,
                   const std::string& what) {
  if (whole % part != 0) shapes.fail(what + " are no multiple of " + std::to_string(part));
  return whole / part;
}

}  // namespace

TransformerConfig infer_masked_transformer(const SourceNetwork& network, std::int64_t codebook) {
  const Shapes shapes(network);
  const std::string words = "Embed_0/word_embeddings/embedding",
                    places = "Embed_0/position_embeddings/embedding", layer = "TransformerLayer_0/";
  TransformerConfig config;
  config.width = shapes.extent(words, 1, 2);
  config.layers = shapes.modules("TransformerLayer_", '/');
  config.heads = shapes.extent(layer + "Attention_0/self_attention/query/kernel", 1, 3);
  config.mlp = shapes.extent(layer + "Mlp_0/intermediate_output/kernel", 1, 2);
  config.codebook = codebook;
  const std::int64_t rows = shapes.extent(words, 0, 2);
  config.classes = rows - codebook - 1;
  if (config.classes < 1) {
    shapes.fail("tensor 'params/" + words + "' has " + std::to_string(rows) +
                " rows, expected those of " + std::to_string(codebook) +
                " codes, at least one class and the mask");
  }
  const std::int64_t positions = shapes.extent(places, 0, 2);
  config.latent = side_of(positions - 1, shapes,
                          "the " + std::to_string(positions) + " positions but the first");
  return config;
}

TokenizerConfig infer_maskgit_tokenizer(const SourceNetwork& network, std::int64_t latent) {
  const Shapes shapes(network);
  TokenizerConfig config;
  config.filters = shapes.extent("encoder/Conv_0/kernel", 0, 4);
  // The decoder has a convolution before, one behind each of its upsamplings and one at the end.
  const std::int64_t levels = shapes.modules("decoder/Conv_", '/') - 1;
  if (levels < 1 || levels > 10) shapes.fail("the convolutions of 'decoder' are no tokenizer's");
  // A group of blocks for each level, and one more.
  const std::int64_t blocks = shapes.modules("encoder/ResBlock_", '/');
  config.blocks = ratio(blocks, levels + 1, shapes, "the residual blocks of the encoder");
  if (config.blocks < 1) shapes.missing("encoder/ResBlock_0/Conv_0/kernel");
  config.multipliers.clear();
  for (std::int64_t level = 0; level < levels; ++level) {
    const std::string name =
        "encoder/ResBlock_" + std::to_string(level * config.blocks) + "/Conv_0/kernel";
    config.multipliers.push_back(
        ratio(shapes.extent(name, 0, 4), config.filters, shapes, "the channels of '" + name + "'"));
  }
  config.codebook = shapes.extent("quantizer/codebook", 0, 2);
  config.embedding = shapes.extent("quantizer/codebook", 1, 2);
  config.image_size = latent << (levels - 1);
  return config;
}

GptConfig infer_autoregressive_transformer(const SourceNetwork& network, std::int64_t heads,
                                           std::int64_t classes) {
  const Shapes shapes(network);
  GptConfig config;
  config.codebook = shapes.extent("tok_emb.weight", 0, 2);
  config.width = shapes.extent("tok_emb.weight", 1, 2);
  config.layers = shapes.modules("blocks.", '.');
  config.mlp = shapes.extent("blocks.0.mlp.0.weight", 0, 2);
  config.block_size = shapes.extent("pos_emb", 1, 3);
  config.latent =
      side_of(config.block_size, shapes, "the " + std::to_string(config.block_size) + " positions");
  config.heads = heads;
  config.classes = classes;
  if (config.width % heads != 0) {
    cluster::throw_usage("--heads " + std::to_string(heads) + " does not divide the width " +
                         std::to_string(config.width) + " of " + network.source);
  }
  if (classes > config.codebook) {
    cluster::throw_usage("--classes " + std::to_string(classes) +
                         " is more than the rows of the table, " + std::to_string(config.codebook));
  }
  return config;
}

VqganConfig infer_taming_tokenizer(const SourceNetwork& network, std::int64_t latent) {
  const Shapes shapes(network);
  VqganConfig config;
  config.filters = shapes.extent("encoder.conv_in.weight", 0, 4);
  config.z_channels = shapes.extent("quant_conv.weight", 1, 4);
  config.codebook = shapes.extent("quantize.embedding.weight", 0, 2);
  config.embedding = shapes.extent("quantize.embedding.weight", 1, 2);
  const std::int64_t levels = shapes.modules("encoder.down.", '.');
  if (levels < 1 || levels > 10) shapes.fail("the levels of 'encoder.down' are no tokenizer's");
  config.blocks = shapes.modules("encoder.down.0.block.", '.');
  config.image_size = latent << (levels - 1);
  config.multipliers.clear();
  config.attention_resolutions.clear();
  for (std::int64_t level = 0; level < levels; ++level) {
    const std::string name = "encoder.down." + std::to_string(level) + ".";
    const std::string kernel = name + "block.0.conv1.weight";
    config.multipliers.push_back(ratio(shapes.extent(kernel, 0, 4), config.filters, shapes,
                                       "the channels of '" + kernel + "'"));
    if (shapes.has(name + "attn.0."))
      config.attention_resolutions.push_back(config.image_size >> level);
  }
  return config;
}

}  // namespace marquee::workers
