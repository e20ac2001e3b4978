#include "workers/models/tokenizer.h"

#include <cmath>

#include "cluster/error.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

constexpr double kGroupNormEpsilon = 1e-6;

// Walks the module tree of one half of the tokenizer, numbering blocks, convolutions and norms as
// the flax modules are numbered. The three verbs decide what a visit does (apply or list shapes).
template <typename Visitor>
class Walk {
 public:
  Walk(const TokenizerConfig& config, Visitor& visitor) : config_(config), visit_(visitor) {}

  void encoder() {
    prefix_ = "encoder/";
    const auto levels = config_.multipliers.size();
    std::int64_t channels = config_.filters;
    conv(3, channels, 3, false);
    for (std::size_t level = 0; level < levels; ++level) {
      blocks(channels, config_.filters * config_.multipliers[level]);
      if (level + 1 < levels) visit_.downsample();
    }
    blocks(channels, channels);
    norm_and_conv(channels, config_.embedding, 1);
  }

  void decoder() {
    prefix_ = "decoder/";
    std::int64_t channels = config_.filters * config_.multipliers.back();
    conv(config_.embedding, channels, 3, true);
    blocks(channels, channels);
    for (std::size_t level = config_.multipliers.size(); level-- > 0;) {
      blocks(channels, config_.filters * config_.multipliers[level]);
      if (level > 0) {
        visit_.upsample();
        conv(channels, channels, 3, true);
      }
    }
    norm_and_conv(channels, 3, 3);
  }

 private:
  void conv(std::int64_t in, std::int64_t out, std::int64_t kernel, bool bias) {
    visit_.conv(prefix_ + "Conv_" + std::to_string(convs_++), in, out, kernel, bias);
  }
  void blocks(std::int64_t& channels, std::int64_t out) {
    for (std::int64_t i = 0; i < config_.blocks; ++i) {
      visit_.block(prefix_ + "ResBlock_" + std::to_string(blocks_++), channels, out);
      channels = out;
    }
  }
  void norm_and_conv(std::int64_t in, std::int64_t out, std::int64_t kernel) {
    visit_.norm(prefix_ + "GroupNorm_0", in);
    visit_.activate();
    conv(in, out, kernel, true);
  }

  const TokenizerConfig& config_;
  Visitor& visit_;
  std::string prefix_;
  int convs_ = 0;
  int blocks_ = 0;
};

class Forward {
 public:
  Forward(const TokenizerConfig& config, const ParameterMap& parameters,
          const StageObserver& observe, Tensor input)
      : groups_(config.groups), parameters_(parameters), observe_(observe), x_(std::move(input)) {}

  void conv(const std::string& name, std::int64_t, std::int64_t, std::int64_t kernel, bool bias) {
    x_ = convolve(x_, name, kernel, bias);
    report(name);
  }
  void norm(const std::string& name, std::int64_t) {
    x_ = normalise(x_, name);
    report(name);
  }
  void activate() { x_ = at::silu(x_); }
  void block(const std::string& name, std::int64_t in, std::int64_t out) {
    Tensor y = at::silu(normalise(x_, name + "/GroupNorm_0"));
    y = convolve(y, name + "/Conv_0", 3, false);
    y = at::silu(normalise(y, name + "/GroupNorm_1"));
    y = convolve(y, name + "/Conv_1", 3, false);
    // The official block applies its shortcut convolution to the result of the second convolution
    // and drops the input; weights are shaped accordingly.
    x_ = y + (in == out ? x_ : convolve(y, name + "/Conv_2", 1, false));
    report(name);
  }
  // Means over existing cells only, at odd borders too.
  void downsample() { x_ = at::avg_pool2d(x_, {2, 2}, {2, 2}, {0, 0}, /*ceil_mode=*/true); }
  void upsample() { x_ = at::upsample_nearest2d(x_, {x_.size(2) * 2, x_.size(3) * 2}); }

  Tensor result() const { return x_; }

 private:
  Tensor convolve(const Tensor& x, const std::string& name, std::int64_t kernel, bool bias) const {
    return at::conv2d(x, parameters_.at(name + "/kernel"),
                      bias ? std::optional<Tensor>(parameters_.at(name + "/bias")) : std::nullopt,
                      /*stride=*/1, /*padding=*/(kernel - 1) / 2);
  }
  Tensor normalise(const Tensor& x, const std::string& name) const {
    return at::group_norm(x, groups_, parameters_.at(name + "/scale"),
                          parameters_.at(name + "/bias"), kGroupNormEpsilon);
  }
  void report(const std::string& name) const {
    if (observe_) observe_(name, x_);
  }

  std::int64_t groups_;
  const ParameterMap& parameters_;
  const StageObserver& observe_;
  Tensor x_;
};

class ShapeList {
 public:
  explicit ShapeList(ShapeMap& shapes) : shapes_(shapes) {}
  void conv(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t kernel,
            bool bias) {
    shapes_[name + "/kernel"] = {out, in, kernel, kernel};
    if (bias) shapes_[name + "/bias"] = {out};
  }
  void norm(const std::string& name, std::int64_t channels) {
    shapes_[name + "/scale"] = {channels};
    shapes_[name + "/bias"] = {channels};
  }
  void block(const std::string& name, std::int64_t in, std::int64_t out) {
    norm(name + "/GroupNorm_0", in);
    conv(name + "/Conv_0", in, out, 3, false);
    norm(name + "/GroupNorm_1", out);
    conv(name + "/Conv_1", out, out, 3, false);
    if (in != out) conv(name + "/Conv_2", out, out, 1, false);
  }
  void activate() {}
  void downsample() {}
  void upsample() {}

 private:
  ShapeMap& shapes_;
};

}  // namespace

ShapeMap tokenizer_shapes(const TokenizerConfig& config) {
  ShapeMap shapes;
  ShapeList list(shapes);
  Walk<ShapeList>(config, list).encoder();
  Walk<ShapeList>(config, list).decoder();
  shapes[kMaskGitCodebook] = {config.codebook, config.embedding};
  return shapes;
}

ParameterMap init_tokenizer(const TokenizerConfig& config, std::uint64_t seed,
                            cluster::Purpose purpose) {
  return initial_parameters(
      tokenizer_shapes(config), seed, purpose,
      [&](const std::string& name, const auto& shape, PhiloxStream& stream) {
        if (name == kMaskGitCodebook) {
          return normal_tensor(stream, shape).div_(std::sqrt(static_cast<float>(config.embedding)));
        }
        const auto fan_in = static_cast<float>(shape[1] * shape[2] * shape[3]);
        return truncated_normal_tensor(stream, shape, 1.0F / std::sqrt(fan_in));
      });
}

Tensor encode(const TokenizerConfig& config, const ParameterMap& parameters, const Tensor& images,
              const StageObserver& observe) {
  MARQUEE_CHECK(images.dim() == 4 && images.size(1) == 3, "encode: images must be [B, 3, H, W]");
  Forward forward(config, parameters, observe, images);
  Walk<Forward>(config, forward).encoder();
  return forward.result();
}

Tensor decode_vectors(const TokenizerConfig& config, const ParameterMap& parameters,
                      const Tensor& vectors, const StageObserver& observe) {
  MARQUEE_CHECK(vectors.dim() == 4 && vectors.size(1) == config.embedding,
                "decode_vectors: vectors must be [B, embedding, h, w]");
  Forward forward(config, parameters, observe, vectors);
  Walk<Forward>(config, forward).decoder();
  return forward.result();
}

Tensor decode_ids(const TokenizerConfig& config, const ParameterMap& parameters,
                  const Tensor& ids) {
  const Tensor& codebook = parameters.at(kMaskGitCodebook);
  if (ids.size(0) == 0) return codebook.new_empty({0, 3, config.image_size, config.image_size});
  return decode_vectors(config, parameters, code_vectors(codebook, ids));
}

}  // namespace marquee::workers
