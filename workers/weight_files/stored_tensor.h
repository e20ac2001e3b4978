// A tensor as it lies in a file: type, shape and where its bytes are. Bytes are little-endian, in
// row-major order. No LibTorch here, so that readers of unknown files can be fuzzed. Plain values.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace marquee::workers {

static_assert(std::endian::native == std::endian::little, "weight files are read as they are");

enum class ElementType { boolean, u8, i8, i16, u16, f16, bf16, i32, u32, f32, i64, u64, f64 };

std::uint64_t element_bytes(ElementType type);
// "F16", "BOOL": the name in a safetensors header.
std::string_view safetensors_name(ElementType type);
std::optional<ElementType> type_named_in_safetensors(std::string_view name);
// "float16", "bfloat16", "bool": the name that numpy and flax use.
std::optional<ElementType> type_named_in_numpy(std::string_view name);

inline constexpr std::size_t kMaxAxes = 32;

struct TensorLayout {
  ElementType type = ElementType::f32;
  std::vector<std::int64_t> shape;  // empty: one number
  bool operator==(const TensorLayout&) const = default;
};

// Bytes of all elements; nothing where the shape is none: a negative extent, more than kMaxAxes, or
// more than 2^62 bytes (counted with 1 for extents of 0, so that every stride can be computed).
std::optional<std::uint64_t> size_bytes(const TensorLayout& layout);

// "[3, 4]", for messages.
std::string shape_text(const std::vector<std::int64_t>& shape);

struct StoredTensor : TensorLayout {
  // One view, or several where a file keeps the tensor in pieces: in order, each of whole elements,
  // together size_bytes(). They live as long as the file's memory does.
  std::vector<std::string_view> parts;

  // Whether every part begins at a multiple of the element's size, as the processor wants it. The
  // formats do not promise it.
  bool aligned() const;
};

}  // namespace marquee::workers
