#include "workers/weight_files/flax_chunks.h"

#include <charconv>
#include <utility>

#include "cluster/error.h"
#include "cluster/text.h"

namespace marquee::workers {
namespace {

constexpr std::string_view kMark = "/__msgpack_chunked_array__";

// Takes the entries "<prefix>0", "<prefix>1", ... out of the map, in the order of their numbers, up
// to the first number that is not there.
template <typename Value>
std::vector<Value> take_numbered(std::map<std::string, Value>& entries, const std::string& prefix) {
  std::vector<Value> taken;
  while (true) {
    auto entry = entries.extract(prefix + std::to_string(taken.size()));
    if (entry.empty()) return taken;
    taken.push_back(std::move(entry.mapped()));
  }
}

template <typename Value>
bool any_below(const std::map<std::string, Value>& entries, const std::string& prefix) {
  const auto first = entries.lower_bound(prefix);
  return first != entries.end() && first->first.starts_with(prefix);
}

class ChunkedArray {
 public:
  ChunkedArray(WeightFile& weights, std::string name) : weights_(weights), name_(std::move(name)) {}

  void join() {
    weights_.metadata.erase(name_ + std::string(kMark));
    const std::vector<std::string> extents = take_numbered(weights_.metadata, name_ + "/shape/");
    const std::vector<std::string> others = take_numbered(weights_.unsupported, name_ + "/chunks/");
    const std::vector<StoredTensor> chunks = take_numbered(weights_.tensors, name_ + "/chunks/");
    const std::string below = name_ + "/";
    if (any_below(weights_.metadata, below) || any_below(weights_.tensors, below) ||
        any_below(weights_.unsupported, below) || chunks.empty() == others.empty())
      fail("lacks a chunk or has something beside shape and chunks of one kind");
    if (weights_.tensors.contains(name_) || weights_.unsupported.contains(name_) ||
        weights_.metadata.contains(name_))
      fail("is there twice");
    if (others.empty()) {
      weights_.tensors.emplace(name_, joined(chunks, extents));
    } else {
      weights_.unsupported.emplace(name_, others.front());
    }
  }

 private:
  StoredTensor joined(const std::vector<StoredTensor>& chunks,
                      const std::vector<std::string>& extents) const {
    StoredTensor whole;
    whole.type = chunks.front().type;
    for (const std::string& text : extents) {
      std::int64_t extent = -1;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
      if (error != std::errc() || end != text.data() + text.size()) fail("has an impossible shape");
      whole.shape.push_back(extent);
    }
    std::uint64_t bytes = 0;
    for (const StoredTensor& chunk : chunks) {
      if (chunk.type != whole.type || chunk.shape.size() != 1)
        fail("has chunks that differ in type or are no lists of numbers");
      whole.parts.push_back(chunk.parts.front());
      bytes += chunk.parts.front().size();
    }
    const std::optional<std::uint64_t> expected = size_bytes(whole);
    if (!expected) fail("has an impossible shape");
    if (*expected != bytes) {
      fail("has chunks of " + std::to_string(bytes) + " bytes, its shape " +
           shape_text(whole.shape) + " takes " + std::to_string(*expected));
    }
    return whole;
  }

  [[noreturn]] void fail(const std::string& what) const {
    cluster::throw_environment(weights_.source + ": tensor '" + cluster::printable(name_) +
                               "' (in chunks) " + what);
  }

  WeightFile& weights_;
  std::string name_;
};

}  // namespace

void join_flax_chunks(WeightFile& weights) {
  std::vector<std::string> names;
  for (const auto& [key, value] : weights.metadata) {
    if (key.ends_with(kMark)) names.push_back(key.substr(0, key.size() - kMark.size()));
  }
  for (std::string& name : names) ChunkedArray(weights, std::move(name)).join();
}

}  // namespace marquee::workers
