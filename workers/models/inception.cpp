#include "workers/models/inception.h"

#include <algorithm>
#include <set>

#include "cluster/error.h"

namespace marquee::workers {
namespace {

constexpr double kBatchNormEpsilon = 1e-3;
constexpr std::int64_t kLogits = 1008, kFeatures = 2048, kSpatialChannels = 7;

// A convolution of the plan: stride and padding follow from its place.
struct Convolution {
  std::string name;
  std::int64_t in, out, height, width, stride, pad_height, pad_width;
};

class Plan {
 public:
  Plan() {
    add("Conv2d_1a_3x3", 3, 32, 3, 3, 2);
    add("Conv2d_2a_3x3", 32, 32, 3, 3);
    add("Conv2d_2b_3x3", 32, 64, 3, 3, 1, 1, 1);
    add("Conv2d_3b_1x1", 64, 80, 1, 1);
    add("Conv2d_4a_3x3", 80, 192, 3, 3);
    block_a("Mixed_5b", 192, 32);
    block_a("Mixed_5c", 256, 64);
    block_a("Mixed_5d", 288, 64);
    block_b("Mixed_6a", 288);
    block_c("Mixed_6b", 128);
    block_c("Mixed_6c", 160);
    block_c("Mixed_6d", 160);
    block_c("Mixed_6e", 192);
    block_d("Mixed_7a", 768);
    block_e("Mixed_7b", 1280);
    block_e("Mixed_7c", 2048);
  }

  std::map<std::string, Convolution> convolutions;

 private:
  void add(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t height,
           std::int64_t width, std::int64_t stride = 1, std::int64_t pad_height = 0,
           std::int64_t pad_width = 0) {
    convolutions[name] = {name, in, out, height, width, stride, pad_height, pad_width};
  }
  void one(const std::string& name, std::int64_t in, std::int64_t out) { add(name, in, out, 1, 1); }
  void three(const std::string& name, std::int64_t in, std::int64_t out) {
    add(name, in, out, 3, 3, 1, 1, 1);
  }
  void row(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t width) {
    add(name, in, out, 1, width, 1, 0, width / 2);
  }
  void column(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t height) {
    add(name, in, out, height, 1, 1, height / 2, 0);
  }

  void block_a(const std::string& block, std::int64_t in, std::int64_t pool) {
    one(block + ".branch1x1", in, 64);
    one(block + ".branch5x5_1", in, 48);
    add(block + ".branch5x5_2", 48, 64, 5, 5, 1, 2, 2);
    one(block + ".branch3x3dbl_1", in, 64);
    three(block + ".branch3x3dbl_2", 64, 96);
    three(block + ".branch3x3dbl_3", 96, 96);
    one(block + ".branch_pool", in, pool);
  }
  void block_b(const std::string& block, std::int64_t in) {
    add(block + ".branch3x3", in, 384, 3, 3, 2);
    one(block + ".branch3x3dbl_1", in, 64);
    three(block + ".branch3x3dbl_2", 64, 96);
    add(block + ".branch3x3dbl_3", 96, 96, 3, 3, 2);
  }
  void block_c(const std::string& block, std::int64_t inner) {
    constexpr std::int64_t kIn = 768, kOut = 192, kLong = 7;
    one(block + ".branch1x1", kIn, kOut);
    one(block + ".branch7x7_1", kIn, inner);
    row(block + ".branch7x7_2", inner, inner, kLong);
    column(block + ".branch7x7_3", inner, kOut, kLong);
    one(block + ".branch7x7dbl_1", kIn, inner);
    column(block + ".branch7x7dbl_2", inner, inner, kLong);
    row(block + ".branch7x7dbl_3", inner, inner, kLong);
    column(block + ".branch7x7dbl_4", inner, inner, kLong);
    row(block + ".branch7x7dbl_5", inner, kOut, kLong);
    one(block + ".branch_pool", kIn, kOut);
  }
  void block_d(const std::string& block, std::int64_t in) {
    one(block + ".branch3x3_1", in, 192);
    add(block + ".branch3x3_2", 192, 320, 3, 3, 2);
    one(block + ".branch7x7x3_1", in, 192);
    row(block + ".branch7x7x3_2", 192, 192, 7);
    column(block + ".branch7x7x3_3", 192, 192, 7);
    add(block + ".branch7x7x3_4", 192, 192, 3, 3, 2);
  }
  void block_e(const std::string& block, std::int64_t in) {
    one(block + ".branch1x1", in, 320);
    one(block + ".branch3x3_1", in, 384);
    row(block + ".branch3x3_2a", 384, 384, 3);
    column(block + ".branch3x3_2b", 384, 384, 3);
    one(block + ".branch3x3dbl_1", in, 448);
    three(block + ".branch3x3dbl_2", 448, 384);
    row(block + ".branch3x3dbl_3a", 384, 384, 3);
    column(block + ".branch3x3dbl_3b", 384, 384, 3);
    one(block + ".branch_pool", in, 192);
  }
};

const Plan& plan() {
  static const Plan kPlan;
  return kPlan;
}

Tensor average_around(const Tensor& x) {
  return at::avg_pool2d(x, 3, 1, 1, /*ceil_mode=*/false, /*count_include_pad=*/false);
}
Tensor halved(const Tensor& x) {
  return at::max_pool2d(x, 3, 2);
}
Tensor grid_mean(const Tensor& x) {
  return (x.scalar_type() == torch::kFloat64 ? x : x.to(torch::kFloat32)).mean({2, 3});
}

}  // namespace

ShapeMap inception_shapes() {
  ShapeMap shapes{{"fc.weight", {kLogits, kFeatures}}, {"fc.bias", {kLogits}}};
  for (const auto& [name, convolution] : plan().convolutions) {
    shapes[name + ".conv.weight"] = {convolution.out, convolution.in, convolution.height,
                                     convolution.width};
    for (const char* part : {"weight", "bias", "running_mean", "running_var"})
      shapes[name + ".bn." + part] = {convolution.out};
  }
  return shapes;
}

Inception::Inception(const ParameterMap& weights, const std::string& source,
                     torch::ScalarType compute)
    : compute_(compute) {
  ParameterMap used;
  for (const auto& [name, tensor] : weights)
    if (!name.ends_with(".num_batches_tracked")) used[name] = tensor;
  check_parameters(used, inception_shapes(), source);
  for (const auto& [name, convolution] : plan().convolutions) {
    const auto number = [&](const char* part) {
      return used.at(name + ".bn." + part).to(torch::kFloat64);
    };
    const Tensor scale = number("weight") / (number("running_var") + kBatchNormEpsilon).sqrt();
    const Tensor kernel = used.at(name + ".conv.weight").to(torch::kFloat64);
    folded_[name + ".weight"] = (kernel * scale.reshape({-1, 1, 1, 1}))
                                    .to(compute)
                                    .contiguous(at::MemoryFormat::ChannelsLast);
    folded_[name + ".bias"] = (number("bias") - number("running_mean") * scale).to(compute);
  }
  // The last layer is a thousandth of the work and stays precise.
  const auto precise = compute == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  for (const char* name : {"fc.weight", "fc.bias"}) folded_[name] = used.at(name).to(precise);
}

Tensor Inception::convolved(const Tensor& x, const std::string& name) const {
  const Convolution& plan_of = plan().convolutions.at(name);
  return at::conv2d(x, folded_.at(name + ".weight"), folded_.at(name + ".bias"),
                    {plan_of.stride, plan_of.stride}, {plan_of.pad_height, plan_of.pad_width})
      .relu_();
}

Tensor Inception::block_a(const Tensor& x, const std::string& name) const {
  const auto conv = [&](const Tensor& y, const char* part) { return convolved(y, name + part); };
  return at::cat({conv(x, ".branch1x1"), conv(conv(x, ".branch5x5_1"), ".branch5x5_2"),
                  conv(conv(conv(x, ".branch3x3dbl_1"), ".branch3x3dbl_2"), ".branch3x3dbl_3"),
                  conv(average_around(x), ".branch_pool")},
                 1);
}

Tensor Inception::block_b(const Tensor& x, const std::string& name) const {
  const auto conv = [&](const Tensor& y, const char* part) { return convolved(y, name + part); };
  return at::cat(
      {conv(x, ".branch3x3"),
       conv(conv(conv(x, ".branch3x3dbl_1"), ".branch3x3dbl_2"), ".branch3x3dbl_3"), halved(x)},
      1);
}

Tensor Inception::block_c(const Tensor& x, const std::string& name) const {
  const auto conv = [&](const Tensor& y, const char* part) { return convolved(y, name + part); };
  Tensor twice = x;
  for (const char* part : {".branch7x7dbl_1", ".branch7x7dbl_2", ".branch7x7dbl_3",
                           ".branch7x7dbl_4", ".branch7x7dbl_5"})
    twice = conv(twice, part);
  return at::cat(
      {conv(x, ".branch1x1"), conv(conv(conv(x, ".branch7x7_1"), ".branch7x7_2"), ".branch7x7_3"),
       twice, conv(average_around(x), ".branch_pool")},
      1);
}

Tensor Inception::block_d(const Tensor& x, const std::string& name) const {
  const auto conv = [&](const Tensor& y, const char* part) { return convolved(y, name + part); };
  Tensor wide = x;
  for (const char* part : {".branch7x7x3_1", ".branch7x7x3_2", ".branch7x7x3_3", ".branch7x7x3_4"})
    wide = conv(wide, part);
  return at::cat({conv(conv(x, ".branch3x3_1"), ".branch3x3_2"), wide, halved(x)}, 1);
}

Tensor Inception::block_e(const Tensor& x, const std::string& name, bool maximum) const {
  const auto conv = [&](const Tensor& y, const char* part) { return convolved(y, name + part); };
  const Tensor once = conv(x, ".branch3x3_1");
  const Tensor twice = conv(conv(x, ".branch3x3dbl_1"), ".branch3x3dbl_2");
  const Tensor pooled = maximum ? at::max_pool2d(x, 3, 1, 1) : average_around(x);
  return at::cat({conv(x, ".branch1x1"), conv(once, ".branch3x3_2a"), conv(once, ".branch3x3_2b"),
                  conv(twice, ".branch3x3dbl_3a"), conv(twice, ".branch3x3dbl_3b"),
                  conv(pooled, ".branch_pool")},
                 1);
}

InceptionOutputs Inception::operator()(const Tensor& images, const std::vector<std::string>& wanted,
                                       const StageObserver& observe) const {
  MARQUEE_CHECK(images.dim() == 4 && images.size(1) == 3 && images.size(2) == kInceptionSide &&
                    images.size(3) == kInceptionSide,
                "Inception: images must be [B, 3, 299, 299]");
  const std::set<std::string> open(wanted.begin(), wanted.end());
  InceptionOutputs outputs;
  const auto give = [&](const char* name, const Tensor& x) {
    if (open.contains(name)) outputs[name] = grid_mean(x);
    return outputs.size() == open.size();
  };
  Tensor x = images.to(compute_).contiguous(at::MemoryFormat::ChannelsLast);
  const auto stage = [&](const char* name, Tensor output) {
    x = std::move(output);
    if (observe) observe(name, x);
  };
  for (const char* name : {"Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"})
    stage(name, convolved(x, name));
  stage("MaxPool_1", halved(x));
  if (give("64", x)) return outputs;
  for (const char* name : {"Conv2d_3b_1x1", "Conv2d_4a_3x3"}) stage(name, convolved(x, name));
  stage("MaxPool_2", halved(x));
  if (give("192", x)) return outputs;
  for (const char* name : {"Mixed_5b", "Mixed_5c", "Mixed_5d"}) stage(name, block_a(x, name));
  stage("Mixed_6a", block_b(x, "Mixed_6a"));
  for (const char* name : {"Mixed_6b", "Mixed_6c"}) stage(name, block_c(x, name));
  if (open.contains("spatial")) {
    outputs["spatial"] = convolved(x, "Mixed_6d.branch1x1")
                             .narrow(1, 0, kSpatialChannels)
                             .permute({0, 2, 3, 1})
                             .reshape({x.size(0), -1})
                             .to(folded_.at("fc.bias").scalar_type());
    if (outputs.size() == open.size()) return outputs;
  }
  for (const char* name : {"Mixed_6d", "Mixed_6e"}) stage(name, block_c(x, name));
  if (give("768", x)) return outputs;
  stage("Mixed_7a", block_d(x, "Mixed_7a"));
  stage("Mixed_7b", block_e(x, "Mixed_7b", /*maximum=*/false));
  stage("Mixed_7c", block_e(x, "Mixed_7c", /*maximum=*/true));
  const Tensor features = grid_mean(x);
  const Tensor unbiased = at::linear(features, folded_.at("fc.weight"));
  for (const auto& [name, tensor] : InceptionOutputs{{"2048", features},
                                                     {"logits_unbiased", unbiased},
                                                     {"logits", unbiased + folded_.at("fc.bias")}})
    if (open.contains(name)) outputs[name] = tensor;
  MARQUEE_CHECK(outputs.size() == open.size(), "Inception: an output that it does not have");
  return outputs;
}

}  // namespace marquee::workers
