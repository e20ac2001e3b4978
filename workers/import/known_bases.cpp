#include "workers/import/known_bases.h"

#include <algorithm>

namespace marquee::workers {
namespace {

constexpr const char* kImageNet = "ImageNet, ILSVRC-2012, training images";

KnownBase maskgit(const std::string& size, std::int64_t image_size) {
  const std::string folder = "https://storage.googleapis.com/maskgit-public/checkpoints/";
  const std::string tokenizer = "tokenizer_imagenet" + size + "_checkpoint",
                    transformer = "maskgit_imagenet" + size + "_checkpoint";
  TokenizerConfig tokens;
  tokens.image_size = image_size;
  TransformerConfig masked;
  masked.latent = tokens.latent();
  return {"maskgit" + size,
          "MaskGIT, class-conditional, " + size + " x " + size + " pixels (masked, 24 layers)",
          kImageNet,
          {folder + tokenizer, folder + transformer, "(google-research/maskgit, flax msgpack)"},
          {"marquee import maskgit" + size + " --tokenizer " + tokenizer + " --transformer " +
           transformer},
          tokens,
          masked};
}

KnownBase taming() {
  return {
      "taming256",
      "taming-transformers, class-conditional, 256 x 256 pixels (autoregressive, 48 layers)",
      kImageNet,
      {"https://k00.fr/s511rwcv (CompVis/taming-transformers, 2021-04-03T19-39-50_cin_transformer;",
       "tokenizer included; a PyTorch checkpoint, to be converted first: docs/models.md)"},
      {"marquee import taming256 --transformer last.safetensors --heads N",
       "(N: n_head in the yaml beside the checkpoint)"},
      VqganConfig{},
      GptConfig{}};
}

}  // namespace

const std::vector<KnownBase>& known_bases() {
  static const std::vector<KnownBase> bases{maskgit("256", 256), maskgit("512", 512), taming()};
  return bases;
}

const KnownBase* find_known_base(const std::string& name) {
  const auto found = std::find_if(known_bases().begin(), known_bases().end(),
                                  [&](const KnownBase& base) { return base.name == name; });
  return found == known_bases().end() ? nullptr : &*found;
}

}  // namespace marquee::workers
