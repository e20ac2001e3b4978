#include "workers/random.h"

#include <span>

#include "cluster/error.h"

namespace marquee::workers {
namespace {

std::span<float> values_of(const Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

}  // namespace

Tensor uniform_tensor(PhiloxStream& stream, const std::vector<std::int64_t>& shape) {
  Tensor tensor = torch::empty(shape, torch::kFloat32);
  stream.fill_uniform(values_of(tensor));
  return tensor;
}

Tensor normal_tensor(PhiloxStream& stream, const std::vector<std::int64_t>& shape) {
  Tensor tensor = torch::empty(shape, torch::kFloat32);
  stream.fill_normal(values_of(tensor));
  return tensor;
}

Tensor gumbel_tensor(PhiloxStream& stream, const std::vector<std::int64_t>& shape) {
  Tensor tensor = torch::empty(shape, torch::kFloat32);
  fill_gumbel(stream, tensor);
  return tensor;
}

void fill_gumbel(PhiloxStream& stream, Tensor tensor) {
  MARQUEE_CHECK(tensor.is_contiguous(), "fill_gumbel: the tensor must be contiguous");
  // Uniform values are multiples of 2^-24 below one; half a step in place of zero keeps both
  // logarithms finite.
  constexpr float kHalfStep = 0x1p-25F;
  stream.fill_uniform(values_of(tensor));
  tensor.clamp_min_(kHalfStep).log_().neg_().log_().neg_();
}

Tensor truncated_normal_tensor(PhiloxStream& stream, const std::vector<std::int64_t>& shape,
                               float scale) {
  Tensor tensor = torch::empty(shape, torch::kFloat32);
  for (float& value : values_of(tensor)) {
    float draw = stream.normal();
    while (draw < -2.0F || draw > 2.0F) draw = stream.normal();
    value = draw * scale;
  }
  return tensor;
}

ParameterMap initial_parameters(const ShapeMap& shapes, std::uint64_t seed,
                                cluster::Purpose purpose, const DrawTensor& draw) {
  ParameterMap parameters;
  std::uint64_t index = 0;
  for (const auto& [name, shape] : shapes) {
    PhiloxStream stream(seed, purpose, /*step=*/0, /*sample=*/index++);
    const bool norm = name.ends_with("/scale") || (shape.size() == 1 && name.ends_with(".weight"));
    const bool bias = name.ends_with("/bias") || name.ends_with(".bias");
    parameters[name] = norm   ? torch::ones(shape)
                       : bias ? torch::zeros(shape)
                              : draw(name, shape, stream);
  }
  return parameters;
}

}  // namespace marquee::workers
