#include "workers/models/parameters.h"

#include <sstream>

#include "cluster/error.h"

namespace marquee::workers {
namespace {

std::string text_of(at::IntArrayRef shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

}  // namespace

std::int64_t count_parameters(const ParameterMap& parameters) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : parameters) count += tensor.numel();
  return count;
}

void check_parameters(const ParameterMap& parameters, const ShapeMap& expected,
                      std::string_view source) {
  for (const auto& [name, shape] : expected) {
    const auto found = parameters.find(name);
    if (found == parameters.end()) {
      cluster::throw_environment(std::string(source) + ": tensor '" + name + "' is missing");
    }
    if (found->second.sizes() != at::IntArrayRef(shape)) {
      cluster::throw_environment(std::string(source) + ": tensor '" + name + "' has shape " +
                                 text_of(found->second.sizes()) + ", expected " + text_of(shape));
    }
  }
  for (const auto& [name, tensor] : parameters) {
    if (!expected.contains(name)) {
      cluster::throw_environment(std::string(source) + ": tensor '" + name +
                                 "' is not one of this network's");
    }
  }
}

ParameterMap trainable_copy(const ParameterMap& parameters) {
  ParameterMap copy;
  for (const auto& [name, tensor] : parameters)
    copy[name] = tensor.detach().clone().requires_grad_();
  return copy;
}

ParameterMap converted(const ParameterMap& parameters, torch::ScalarType type) {
  ParameterMap result;
  for (const auto& [name, tensor] : parameters) {
    result[name] = tensor.is_floating_point() ? tensor.to(type) : tensor;
  }
  return result;
}

}  // namespace marquee::workers
