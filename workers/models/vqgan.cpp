#include "workers/models/vqgan.h"

#include <algorithm>
#include <cmath>

#include "cluster/error.h"

namespace marquee::workers {
namespace {

constexpr std::int64_t kVqganGroups = 32;
constexpr double kVqganEpsilon = 1e-6;

// Walks the module tree of one half; the verbs of the visitor decide what a visit does (apply or
// list shapes).
template <typename Visitor>
class VqganWalk {
 public:
  VqganWalk(const VqganConfig& config, Visitor& visitor) : config_(config), visit_(visitor) {}

  void encoder() {
    std::int64_t channels = config_.filters;
    visit_.conv("encoder.conv_in", 3, channels, 3);
    for (std::size_t level = 0; level < levels(); ++level) {
      const std::string name = "encoder.down." + std::to_string(level);
      blocks(name, level, config_.blocks, channels);
      if (level + 1 < levels()) visit_.downsample(name + ".downsample", channels);
    }
    middle("encoder.mid", channels);
    visit_.norm("encoder.norm_out", channels);
    visit_.activate();
    visit_.conv("encoder.conv_out", channels, config_.z_channels, 3);
    visit_.conv("quant_conv", config_.z_channels, config_.embedding, 1);
  }

  void decoder() {
    std::int64_t channels = config_.filters * config_.multipliers.back();
    visit_.conv("post_quant_conv", config_.embedding, config_.z_channels, 1);
    visit_.conv("decoder.conv_in", config_.z_channels, channels, 3);
    middle("decoder.mid", channels);
    for (std::size_t level = levels(); level-- > 0;) {
      const std::string name = "decoder.up." + std::to_string(level);
      blocks(name, level, config_.blocks + 1, channels);
      if (level > 0) visit_.upsample(name + ".upsample", channels);
    }
    visit_.norm("decoder.norm_out", channels);
    visit_.activate();
    visit_.conv("decoder.conv_out", channels, 3, 3);
  }

 private:
  std::size_t levels() const { return config_.multipliers.size(); }

  void blocks(const std::string& name, std::size_t level, std::int64_t count,
              std::int64_t& channels) {
    const std::vector<std::int64_t>& with = config_.attention_resolutions;
    const bool attends =
        std::find(with.begin(), with.end(), config_.image_size >> level) != with.end();
    const std::int64_t out = config_.filters * config_.multipliers[level];
    for (std::int64_t i = 0; i < count; ++i) {
      visit_.block(name + ".block." + std::to_string(i), channels, out);
      channels = out;
      if (attends) visit_.attention(name + ".attn." + std::to_string(i), channels);
    }
  }
  void middle(const std::string& name, std::int64_t channels) {
    visit_.block(name + ".block_1", channels, channels);
    visit_.attention(name + ".attn_1", channels);
    visit_.block(name + ".block_2", channels, channels);
  }

  const VqganConfig& config_;
  Visitor& visit_;
};

class VqganForward {
 public:
  VqganForward(const ParameterMap& parameters, const StageObserver& observe, Tensor input)
      : parameters_(parameters), observe_(observe), x_(std::move(input)) {}

  void conv(const std::string& name, std::int64_t, std::int64_t, std::int64_t kernel) {
    x_ = convolve(x_, name, kernel);
  }
  void norm(const std::string& name, std::int64_t) { x_ = normalise(x_, name); }
  void activate() { x_ = at::silu(x_); }
  void block(const std::string& name, std::int64_t in, std::int64_t out) {
    Tensor y = at::silu(normalise(x_, name + ".norm1"));
    y = convolve(y, name + ".conv1", 3);
    y = at::silu(normalise(y, name + ".norm2"));
    y = convolve(y, name + ".conv2", 3);
    x_ = report(name, (in == out ? x_ : convolve(x_, name + ".nin_shortcut", 1)) + y);
  }
  // One head over all places of the map.
  void attention(const std::string& name, std::int64_t channels) {
    const std::int64_t batch = x_.size(0), height = x_.size(2), width = x_.size(3);
    const Tensor y = normalise(x_, name + ".norm");
    const auto places = [&](const char* part) {  // [B, 1, hw, C]
      return convolve(y, name + part, 1).flatten(2).transpose(1, 2).unsqueeze(1);
    };
    const Tensor mixed = at::scaled_dot_product_attention(places(".q"), places(".k"), places(".v"));
    const Tensor map = mixed.squeeze(1).transpose(1, 2).reshape({batch, channels, height, width});
    x_ = report(name, x_ + convolve(map, name + ".proj_out", 1));
  }
  // One column of zeros on the right and one row below, nothing left and above.
  void downsample(const std::string& name, std::int64_t) {
    const Tensor padded = at::constant_pad_nd(x_, {0, 1, 0, 1});
    x_ = report(name, at::conv2d(padded, parameters_.at(name + ".conv.weight"),
                                 parameters_.at(name + ".conv.bias"), /*stride=*/2));
  }
  void upsample(const std::string& name, std::int64_t) {
    const Tensor larger = at::upsample_nearest2d(x_, {x_.size(2) * 2, x_.size(3) * 2});
    x_ = report(name, at::conv2d(larger, parameters_.at(name + ".conv.weight"),
                                 parameters_.at(name + ".conv.bias"), /*stride=*/1, /*padding=*/1));
  }

  Tensor result() const { return x_; }

 private:
  Tensor convolve(const Tensor& x, const std::string& name, std::int64_t kernel) const {
    return report(name, at::conv2d(x, parameters_.at(name + ".weight"),
                                   parameters_.at(name + ".bias"), /*stride=*/1,
                                   /*padding=*/(kernel - 1) / 2));
  }
  Tensor normalise(const Tensor& x, const std::string& name) const {
    return report(name, at::group_norm(x, kVqganGroups, parameters_.at(name + ".weight"),
                                       parameters_.at(name + ".bias"), kVqganEpsilon));
  }
  Tensor report(const std::string& name, const Tensor& output) const {
    if (observe_) observe_(name, output);
    return output;
  }

  const ParameterMap& parameters_;
  const StageObserver& observe_;
  Tensor x_;
};

class VqganShapes {
 public:
  explicit VqganShapes(ShapeMap& shapes) : shapes_(shapes) {}
  void conv(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t kernel) {
    shapes_[name + ".weight"] = {out, in, kernel, kernel};
    shapes_[name + ".bias"] = {out};
  }
  void norm(const std::string& name, std::int64_t channels) {
    shapes_[name + ".weight"] = {channels};
    shapes_[name + ".bias"] = {channels};
  }
  void block(const std::string& name, std::int64_t in, std::int64_t out) {
    norm(name + ".norm1", in);
    conv(name + ".conv1", in, out, 3);
    norm(name + ".norm2", out);
    conv(name + ".conv2", out, out, 3);
    if (in != out) conv(name + ".nin_shortcut", in, out, 1);
  }
  void attention(const std::string& name, std::int64_t channels) {
    norm(name + ".norm", channels);
    for (const char* part : {".q", ".k", ".v", ".proj_out"})
      conv(name + part, channels, channels, 1);
  }
  void downsample(const std::string& name, std::int64_t channels) {
    conv(name + ".conv", channels, channels, 3);
  }
  void upsample(const std::string& name, std::int64_t channels) {
    conv(name + ".conv", channels, channels, 3);
  }
  void activate() {}

 private:
  ShapeMap& shapes_;
};

}  // namespace

ShapeMap vqgan_shapes(const VqganConfig& config) {
  ShapeMap shapes;
  VqganShapes list(shapes);
  VqganWalk<VqganShapes>(config, list).encoder();
  VqganWalk<VqganShapes>(config, list).decoder();
  shapes[kVqganCodebook] = {config.codebook, config.embedding};
  return shapes;
}

Tensor vqgan_encode(const VqganConfig& config, const ParameterMap& parameters, const Tensor& images,
                    const StageObserver& observe) {
  MARQUEE_CHECK(images.dim() == 4 && images.size(1) == 3,
                "vqgan_encode: images must be [B, 3, H, W]");
  VqganForward forward(parameters, observe, images);
  VqganWalk<VqganForward>(config, forward).encoder();
  return forward.result();
}

Tensor vqgan_decode(const VqganConfig& config, const ParameterMap& parameters,
                    const Tensor& vectors, const StageObserver& observe) {
  MARQUEE_CHECK(vectors.dim() == 4 && vectors.size(1) == config.embedding,
                "vqgan_decode: vectors must be [B, embedding, h, w]");
  VqganForward forward(parameters, observe, vectors);
  VqganWalk<VqganForward>(config, forward).decoder();
  return forward.result();
}

}  // namespace marquee::workers
