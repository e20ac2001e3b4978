#include "workers/base_tokenizer.h"

#include <algorithm>
#include <vector>

namespace marquee::workers {

std::int64_t BaseTokenizer::image_size() const {
  return std::visit([](const auto& config) { return config.image_size; }, config_);
}
std::int64_t BaseTokenizer::latent() const {
  return std::visit([](const auto& config) { return config.latent(); }, config_);
}
std::int64_t BaseTokenizer::codebook() const {
  return std::visit([](const auto& config) { return config.codebook; }, config_);
}

BaseTokenizer BaseTokenizer::on(torch::Device device) const {
  ParameterMap moved;
  for (const auto& [name, tensor] : weights_) moved[name] = tensor.to(device);
  return {config_, std::move(moved)};
}

Tensor BaseTokenizer::encode(const Tensor& images) const {
  if (const auto* taming = std::get_if<VqganConfig>(&config_)) {
    return quantise(weights_.at(kVqganCodebook), vqgan_encode(*taming, weights_, images * 2 - 1))
        .ids;
  }
  return quantise(weights_.at(kMaskGitCodebook),
                  workers::encode(std::get<TokenizerConfig>(config_), weights_, images))
      .ids;
}

Tensor BaseTokenizer::decode_some(const Tensor& ids) const {
  if (const auto* taming = std::get_if<VqganConfig>(&config_)) {
    const Tensor vectors = code_vectors(weights_.at(kVqganCodebook), ids);
    return (vqgan_decode(*taming, weights_, vectors) + 1) / 2;
  }
  return decode_ids(std::get<TokenizerConfig>(config_), weights_, ids);
}

Tensor BaseTokenizer::decode(const Tensor& ids) const {
  // The widest layers take 512 bytes and more a pixel: 8 images of 256 x 256 at once are 270 MB
  // each.
  constexpr std::int64_t kPixels = std::int64_t{8} << 16;
  if (ids.size(0) == 0) return torch::empty({0, 3, image_size(), image_size()});
  const torch::Device device = weights_.begin()->second.device();
  std::vector<Tensor> parts;
  for (const Tensor& some :
       ids.split(std::max(std::int64_t{1}, kPixels / (image_size() * image_size()))))
    parts.push_back(decode_some(some.to(device)).to(torch::kCPU));
  return parts.size() == 1 ? parts.front() : at::cat(parts);
}

ShapeMap tokenizer_shapes(const BaseTokenizer::Config& config) {
  if (const auto* taming = std::get_if<VqganConfig>(&config)) return vqgan_shapes(*taming);
  return tokenizer_shapes(std::get<TokenizerConfig>(config));
}

}  // namespace marquee::workers
