#include "workers/weight_files/flax_file.h"

#include <charconv>
#include <set>
#include <utility>
#include <vector>

#include <msgpack/null_visitor.hpp>
#include <msgpack/parse.hpp>
#include <msgpack/unpack.hpp>

#include "cluster/error.h"
#include "cluster/text.h"
#include "workers/weight_files/flax_array.h"
#include "workers/weight_files/flax_chunks.h"

namespace marquee::workers {
namespace {

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxKeys = 4 * kMaxStoredTensors;

enum ExtensionType : signed char { kArray = 1, kComplex = 2, kScalar = 3 };

template <typename Number>
std::string text_of(Number number) {
  char text[32];
  return {text, std::to_chars(std::begin(text), std::end(text), number).ptr};
}

class TreeVisitor : public msgpack::null_visitor {
 public:
  TreeVisitor(std::string_view file, WeightFile& weights) : file_(file), weights_(weights) {}

  bool start_map(std::uint32_t) {
    if (at_key_) fail_key();
    if (frames_.size() == kMaxDepth)
      fail("is nested more than " + std::to_string(kMaxDepth) + " deep");
    frames_.push_back({path_.size(), /*is_list=*/false});
    return true;
  }
  bool start_map_key() {
    at_key_ = true;
    return true;
  }
  bool end_map_key() {
    at_key_ = false;
    return true;
  }
  bool end_map_value() { return leave(); }
  bool end_map() {
    frames_.pop_back();
    return true;
  }

  bool start_array(std::uint32_t) {
    if (frames_.empty()) fail("holds no map");
    start_map(0);
    frames_.back().is_list = true;
    return true;
  }
  bool start_array_item() {
    enter(std::to_string(frames_.back().items++));
    return true;
  }
  bool end_array_item() { return leave(); }
  bool end_array() { return end_map(); }

  bool visit_str(const char* text, std::uint32_t size) {
    const std::string_view value(size == 0 ? "" : text, size);
    if (!at_key_) {
      if (size <= kMaxTensorNameBytes && !cluster::invalid_utf8(value))
        return leaf(std::string(value));
      check_leaf();
      return true;
    }
    if (size == 0) fail("has an empty key");
    if (size > kMaxTensorNameBytes)
      fail("has a key of more than " + std::to_string(kMaxTensorNameBytes) + " bytes");
    if (cluster::invalid_utf8(value)) fail("has a key that is no UTF-8");
    if (!frames_.back().keys.insert(value).second)
      fail("has the key '" + cluster::printable(value) + "' twice");
    enter(value);
    value_at_ = static_cast<std::size_t>(text + size - file_.data());
    return true;
  }
  bool visit_ext(const char* data, std::uint32_t size) {
    check_leaf();
    // The library counts in 32 bits: of 2^32 bytes, none are left.
    if (size == 0) fail("is an extension of 4 GiB");
    const auto type = static_cast<signed char>(data[0]);
    if (type == kComplex) {
      weights_.unsupported.emplace(path_, "a complex number");
    } else if (type != kArray && type != kScalar) {
      weights_.unsupported.emplace(path_, "msgpack extension " + std::to_string(type));
    } else {
      add_array({data + 1, size - std::size_t{1}});
    }
    return true;
  }
  bool visit_nil() { return leaf("null"); }
  bool visit_boolean(bool value) { return leaf(value ? "true" : "false"); }
  bool visit_positive_integer(std::uint64_t value) { return leaf(text_of(value)); }
  bool visit_negative_integer(std::int64_t value) { return leaf(text_of(value)); }
  bool visit_float32(float value) { return leaf(text_of(value)); }
  bool visit_float64(double value) { return leaf(text_of(value)); }
  bool visit_bin(const char*, std::uint32_t) {
    check_leaf();
    return true;
  }

  void parse_error(std::size_t, std::size_t at) {
    fail("is no msgpack (byte " + std::to_string(at) + " of the file)");
  }
  void insufficient_bytes(std::size_t, std::size_t) {
    std::string where;
    if (!path_.empty()) {
      const auto first =
          value_at_ < file_.size() ? static_cast<unsigned char>(file_[value_at_]) : 0;
      const bool extension = (first >= 0xc7 && first <= 0xc9) || (first >= 0xd4 && first <= 0xd8);
      where = std::string(" inside ") + (extension ? "tensor " : "") + "'" +
              cluster::printable(path_) + "'";
    }
    cluster::throw_environment(weights_.source + ": is cut off" + where + ", after " +
                               std::to_string(file_.size()) + " bytes");
  }

 private:
  // A map or list whose end was not seen yet.
  struct Frame {
    std::size_t path_bytes;  // of its own name
    bool is_list;
    std::size_t items = 0;
    std::set<std::string_view> keys{};
  };

  void enter(std::string_view key) {
    if (++keys_ > kMaxKeys) fail("has more than " + std::to_string(kMaxKeys) + " keys before here");
    if (!path_.empty()) path_ += '/';
    path_ += key;
    if (path_.size() > kMaxTensorNameBytes) {
      path_.resize(64);
      fail("... is a name of more than " + std::to_string(kMaxTensorNameBytes) + " bytes");
    }
    value_at_ = std::string_view::npos;
  }
  bool leave() {
    path_.resize(frames_.back().path_bytes);
    return true;
  }

  void check_leaf() {
    if (at_key_) fail_key();
    if (frames_.empty()) fail("holds no map");
    if (++leaves_ > kMaxStoredTensors)
      fail("has more than " + std::to_string(kMaxStoredTensors) +
           " tensors and values before here");
    if (weights_.tensors.contains(path_) || weights_.unsupported.contains(path_) ||
        weights_.metadata.contains(path_))
      fail("is there twice");
  }
  bool leaf(std::string text) {
    check_leaf();
    weights_.metadata.emplace(path_, std::move(text));
    return true;
  }
  void add_array(std::string_view content) {
    try {
      auto array = parse_flax_array(content);
      if (auto* tensor = std::get_if<StoredTensor>(&array)) {
        weights_.tensors.emplace(path_, std::move(*tensor));
      } else {
        weights_.unsupported.emplace(path_, std::get<UnsupportedArray>(array).what);
      }
    } catch (const cluster::Error& error) {
      fail(std::string("is ") + error.what());
    }
  }

  [[noreturn]] void fail_key() const { fail("has a key that is no text"); }
  // What is wrong at the place in the tree that the reader has come to.
  [[noreturn]] void fail(const std::string& what) const {
    const std::string where = path_.empty() ? "" : "'" + cluster::printable(path_) + "' ";
    cluster::throw_environment(weights_.source + ": " + where + what);
  }

  std::string_view file_;
  WeightFile& weights_;
  std::vector<Frame> frames_;
  std::string path_;
  bool at_key_ = false;
  std::size_t value_at_ = std::string_view::npos;  // where the value of the last key begins
  std::size_t keys_ = 0, leaves_ = 0;
};

}  // namespace

bool looks_like_flax(std::string_view bytes) {
  if (bytes.empty()) return false;
  const auto first = static_cast<unsigned char>(bytes[0]);
  return (first >= 0x80 && first <= 0x8f) || first == 0xde || first == 0xdf;
}

WeightFile parse_flax(std::string_view bytes, const std::string& source) {
  WeightFile weights;
  weights.source = source;
  weights.format = "flax msgpack";
  TreeVisitor visitor(bytes, weights);
  std::size_t used = 0;
  const bool parsed = msgpack::parse(bytes.data(), bytes.size(), used, visitor);
  MARQUEE_CHECK(parsed, "msgpack ended without a reason");
  if (used != bytes.size()) {
    cluster::throw_environment(source + ": has " + std::to_string(bytes.size() - used) +
                               " bytes behind the end of the checkpoint");
  }
  join_flax_chunks(weights);
  return weights;
}

}  // namespace marquee::workers
