#include "workers/image_tensor.h"

#include <algorithm>
#include <cstring>

#include "cluster/error.h"

namespace marquee::workers {
namespace {

Tensor levels_of(const Tensor& images) {
  return images.detach().to(torch::kFloat32).clamp(0, 1).mul(255).round();
}

}  // namespace

Tensor to_tensor(const std::vector<datasets::Image>& images) {
  MARQUEE_CHECK(!images.empty(), "to_tensor: no images");
  const std::int64_t height = images[0].height, width = images[0].width;
  Tensor bytes =
      torch::empty({static_cast<std::int64_t>(images.size()), height, width, 3}, torch::kUInt8);
  auto* out = bytes.data_ptr<std::uint8_t>();
  for (const datasets::Image& image : images) {
    MARQUEE_CHECK(image.height == height && image.width == width, "to_tensor: images of one size");
    std::memcpy(out, image.rgb.data(), image.rgb.size());
    out += image.rgb.size();
  }
  return bytes.permute({0, 3, 1, 2})
      .to(torch::kFloat32, false, false, at::MemoryFormat::Contiguous)
      .div_(255);
}

Tensor to_tensor(const datasets::FloatImage& image) {
  Tensor pixels = torch::empty({image.height, image.width, 3}, torch::kFloat32);
  std::copy(image.rgb.begin(), image.rgb.end(), pixels.data_ptr<float>());
  return pixels.permute({2, 0, 1}).contiguous().div_(255);
}

std::vector<datasets::Image> to_images(const Tensor& images) {
  const Tensor bytes = levels_of(images).to(torch::kUInt8).permute({0, 2, 3, 1}).contiguous();
  const auto height = static_cast<int>(bytes.size(1)), width = static_cast<int>(bytes.size(2));
  std::vector<datasets::Image> result;
  const auto* in = bytes.data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < bytes.size(0); ++i) {
    const std::size_t size = static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3;
    result.push_back({height, width, {in, in + size}});
    in += size;
  }
  return result;
}

void append_images(const Tensor& images, std::int64_t keep, std::vector<datasets::Image>& kept) {
  const std::int64_t room = keep - static_cast<std::int64_t>(kept.size());
  if (room <= 0) return;
  for (datasets::Image& image : to_images(images.narrow(0, 0, std::min(images.size(0), room))))
    kept.push_back(std::move(image));
}

Tensor rounded_to_levels(const Tensor& images) {
  return levels_of(images).div_(255);
}

}  // namespace marquee::workers
