#include "workers/weight_files/flax_array.h"

#include <msgpack/null_visitor.hpp>
#include <msgpack/parse.hpp>
#include <msgpack/unpack.hpp>

#include "cluster/error.h"
#include "cluster/text.h"

namespace marquee::workers {
namespace {

// Goes on as long as it sees [[extents...], "dtype", bytes].
class ArrayVisitor : public msgpack::null_visitor {
 public:
  bool start_array(std::uint32_t count) {
    ++depth_;
    if (depth_ == 1) return count == 3;
    return depth_ == 2 && item_ == 0 && count <= kMaxAxes;
  }
  bool end_array() {
    --depth_;
    return true;
  }
  bool end_array_item() {
    if (depth_ == 1) ++item_;
    return true;
  }
  bool visit_positive_integer(std::uint64_t extent) {
    layout.shape.push_back(static_cast<std::int64_t>(extent));  // checked by size_bytes()
    return depth_ == 2;
  }
  bool visit_str(const char* text, std::uint32_t size) {
    dtype = {text, size};
    return depth_ == 1 && item_ == 1;
  }
  bool visit_bin(const char* data, std::uint32_t size) {
    bytes = {data, size};
    return depth_ == 1 && item_ == 2;
  }
  bool start_map(std::uint32_t) { return false; }
  bool visit_nil() { return false; }
  bool visit_boolean(bool) { return false; }
  bool visit_negative_integer(std::int64_t) { return false; }
  bool visit_float32(float) { return false; }
  bool visit_float64(double) { return false; }
  bool visit_ext(const char*, std::uint32_t) { return false; }

  // All three items were seen, in their kinds.
  bool complete() const { return item_ == 3; }

  TensorLayout layout;
  std::string_view dtype, bytes;

 private:
  int depth_ = 0, item_ = 0;
};

}  // namespace

std::variant<StoredTensor, UnsupportedArray> parse_flax_array(std::string_view content) {
  ArrayVisitor visitor;
  std::size_t used = 0;
  const bool parsed = msgpack::parse(content.data(), content.size(), used, visitor);
  if (!parsed || !visitor.complete() || used != content.size())
    cluster::throw_environment("no array of shape, type and bytes");
  const std::string type_text = cluster::printable(visitor.dtype.substr(0, 32));
  const std::optional<ElementType> type = type_named_in_numpy(visitor.dtype);
  if (!type) return UnsupportedArray{"an array of " + type_text};
  StoredTensor tensor;
  static_cast<TensorLayout&>(tensor) = {*type, std::move(visitor.layout.shape)};
  if (size_bytes(tensor) != visitor.bytes.size()) {
    cluster::throw_environment("an array of " + shape_text(tensor.shape) + " " + type_text +
                               " with " + std::to_string(visitor.bytes.size()) + " bytes");
  }
  tensor.parts = {visitor.bytes};
  return tensor;
}

}  // namespace marquee::workers
