#include "workers/mapped_tensor.h"

#include <cstring>
#include <iterator>
#include <utility>

#include "cluster/error.h"

namespace marquee::workers {
namespace {

constexpr std::pair<ElementType, torch::ScalarType> kTypes[] = {
    {ElementType::boolean, torch::kBool},  {ElementType::u8, torch::kUInt8},
    {ElementType::i8, torch::kInt8},       {ElementType::i16, torch::kInt16},
    {ElementType::u16, torch::kUInt16},    {ElementType::f16, torch::kFloat16},
    {ElementType::bf16, torch::kBFloat16}, {ElementType::i32, torch::kInt32},
    {ElementType::u32, torch::kUInt32},    {ElementType::f32, torch::kFloat32},
    {ElementType::i64, torch::kInt64},     {ElementType::u64, torch::kUInt64},
    {ElementType::f64, torch::kFloat64}};

torch::ScalarType scalar_type(ElementType type) {
  const auto* found = std::find_if(std::begin(kTypes), std::end(kTypes),
                                   [&](const auto& pair) { return pair.first == type; });
  MARQUEE_CHECK(found != std::end(kTypes), "type of a stored tensor");
  return found->second;
}

}  // namespace

Tensor mapped_tensor(const StoredTensor& stored, const std::shared_ptr<const void>& memory) {
  const bool boolean = stored.type == ElementType::boolean;
  const torch::ScalarType type = boolean ? torch::kUInt8 : scalar_type(stored.type);
  if (stored.parts.size() == 1 && !stored.parts.front().empty() && stored.aligned()) {
    // LibTorch has no memory that is only read; nothing here writes into it.
    void* data = const_cast<char*>(stored.parts.front().data());
    const Tensor view = torch::from_blob(
        data, stored.shape, [memory](void*) {}, type);
    return boolean ? view.ne(0) : view;
  }
  Tensor copy = torch::empty(stored.shape, type);
  auto* bytes = static_cast<char*>(copy.data_ptr());
  for (const std::string_view part : stored.parts) {
    if (!part.empty()) std::memcpy(bytes, part.data(), part.size());
    bytes += part.size();
  }
  return boolean ? copy.ne(0) : copy;
}

TensorLayout layout_of(const Tensor& tensor) {
  const auto* found = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& pair) {
    return pair.second == tensor.scalar_type();
  });
  MARQUEE_CHECK(found != std::end(kTypes),
                std::string("tensors of type ") + torch::toString(tensor.scalar_type()));
  return {found->first, tensor.sizes().vec()};
}

}  // namespace marquee::workers
