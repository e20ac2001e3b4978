// Named weights. Networks here are functions of a configuration and a sorted map of tensors whose
// names are the flax paths of the official code without "params/"
// ("TransformerLayer_0/Mlp_0/.../kernel"). Dense kernels are [in, out]; convolution kernels are
// held OIHW (flax HWIO is converted by importers).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "workers/torch.h"

namespace marquee::workers {

using ParameterMap = std::map<std::string, Tensor>;
using ShapeMap = std::map<std::string, std::vector<std::int64_t>>;

// Called with the name of a module and its output, for tests and pictures.
using StageObserver = std::function<void(const std::string& name, const Tensor& output)>;

// Numbers in all tensors.
std::int64_t count_parameters(const ParameterMap& parameters);

// Throws environment, naming `source`, the tensor and both shapes, unless the names and shapes are
// exactly those of `expected`.
void check_shapes(const ShapeMap& shapes, const ShapeMap& expected, std::string_view source);
void check_parameters(const ParameterMap& parameters, const ShapeMap& expected,
                      std::string_view source);

// Leaves of autograd: detached copies that require a gradient.
ParameterMap trainable_copy(const ParameterMap& parameters);

// Those whose names start with `prefix`.
ParameterMap part_of(const ParameterMap& parameters, const std::string& prefix);

// The same tensors converted to `type` (floating tensors only).
ParameterMap converted(const ParameterMap& parameters, torch::ScalarType type);

}  // namespace marquee::workers
