#include "workers/weight_files/stored_tensor.h"

#include <algorithm>
#include <iterator>

#include "cluster/error.h"

namespace marquee::workers {
namespace {

struct TypeNames {
  ElementType type;
  std::uint64_t bytes;
  std::string_view safetensors, numpy;
};
constexpr TypeNames kTypes[] = {
    {ElementType::boolean, 1, "BOOL", "bool"},  {ElementType::u8, 1, "U8", "uint8"},
    {ElementType::i8, 1, "I8", "int8"},         {ElementType::i16, 2, "I16", "int16"},
    {ElementType::u16, 2, "U16", "uint16"},     {ElementType::f16, 2, "F16", "float16"},
    {ElementType::bf16, 2, "BF16", "bfloat16"}, {ElementType::i32, 4, "I32", "int32"},
    {ElementType::u32, 4, "U32", "uint32"},     {ElementType::f32, 4, "F32", "float32"},
    {ElementType::i64, 8, "I64", "int64"},      {ElementType::u64, 8, "U64", "uint64"},
    {ElementType::f64, 8, "F64", "float64"}};

const TypeNames& names_of(ElementType type) {
  const auto* found = std::find_if(std::begin(kTypes), std::end(kTypes),
                                   [&](const TypeNames& names) { return names.type == type; });
  MARQUEE_CHECK(found != std::end(kTypes), "element type");
  return *found;
}

std::optional<ElementType> type_named(std::string_view name, std::string_view TypeNames::*where) {
  for (const TypeNames& names : kTypes) {
    if (names.*where == name) return names.type;
  }
  return {};
}

}  // namespace

std::uint64_t element_bytes(ElementType type) {
  return names_of(type).bytes;
}
std::string_view safetensors_name(ElementType type) {
  return names_of(type).safetensors;
}
std::optional<ElementType> type_named_in_safetensors(std::string_view name) {
  return type_named(name, &TypeNames::safetensors);
}
std::optional<ElementType> type_named_in_numpy(std::string_view name) {
  return type_named(name, &TypeNames::numpy);
}

std::optional<std::uint64_t> size_bytes(const TensorLayout& layout) {
  constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 62;
  if (layout.shape.size() > kMaxAxes) return {};
  std::uint64_t bytes = element_bytes(layout.type);
  bool none = false;
  for (const std::int64_t extent : layout.shape) {
    if (extent < 0) return {};
    none = none || extent == 0;
    const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(extent, 1));
    if (bytes > kMaxBytes / factor) return {};
    bytes *= factor;
  }
  return none ? 0 : bytes;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t extent : shape)
    text += (text.empty() ? "" : ", ") + std::to_string(extent);
  return "[" + text + "]";
}

bool StoredTensor::aligned() const {
  return std::all_of(parts.begin(), parts.end(), [&](std::string_view part) {
    return reinterpret_cast<std::uintptr_t>(part.data()) % element_bytes(type) == 0;
  });
}

}  // namespace marquee::workers
