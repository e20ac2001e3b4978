#include "workers/models/parameters.h"

#include "cluster/error.h"
#include "workers/weight_files/stored_tensor.h"

namespace marquee::workers {
std::int64_t count_parameters(const ParameterMap& parameters) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : parameters) count += tensor.numel();
  return count;
}

void check_shapes(const ShapeMap& shapes, const ShapeMap& expected, std::string_view source) {
  const auto fail = [&](const std::string& name, const std::string& what) {
    cluster::throw_environment(std::string(source) + ": tensor '" + name + "' " + what);
  };
  for (const auto& [name, shape] : expected) {
    const auto found = shapes.find(name);
    if (found == shapes.end()) fail(name, "is missing");
    if (found->second != shape)
      fail(name, "has shape " + shape_text(found->second) + ", expected " + shape_text(shape));
  }
  for (const auto& [name, shape] : shapes) {
    if (!expected.contains(name)) fail(name, "is not one of this network's");
  }
}

void check_parameters(const ParameterMap& parameters, const ShapeMap& expected,
                      std::string_view source) {
  ShapeMap shapes;
  for (const auto& [name, tensor] : parameters) shapes[name] = tensor.sizes().vec();
  check_shapes(shapes, expected, source);
}

ParameterMap trainable_copy(const ParameterMap& parameters) {
  ParameterMap copy;
  for (const auto& [name, tensor] : parameters)
    copy[name] = tensor.detach().clone().requires_grad_();
  return copy;
}

ParameterMap part_of(const ParameterMap& parameters, const std::string& prefix) {
  ParameterMap part;
  for (auto it = parameters.lower_bound(prefix);
       it != parameters.end() && it->first.starts_with(prefix); ++it)
    part.insert(*it);
  return part;
}

ParameterMap converted(const ParameterMap& parameters, torch::ScalarType type) {
  ParameterMap result;
  for (const auto& [name, tensor] : parameters) {
    result[name] = tensor.is_floating_point() ? tensor.to(type) : tensor;
  }
  return result;
}

}  // namespace marquee::workers
