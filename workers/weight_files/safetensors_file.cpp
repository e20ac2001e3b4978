#include "workers/weight_files/safetensors_file.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "cluster/text.h"

namespace marquee::workers {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{64} << 20;
constexpr std::size_t kLengthBytes = 8;

std::uint64_t header_length(std::string_view bytes) {
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  return length;
}

// Takes the header in event by event. The only structure it accepts is the format's own, so its
// depth is bounded, and a key that is given twice is seen.
class HeaderReader final : public json::json_sax_t {
 public:
  HeaderReader(std::string_view data, WeightFile& weights) : data_(data), weights_(weights) {}

  bool start_object(std::size_t) override {
    if (place_ == Place::start) {
      place_ = Place::header;
    } else if (place_ == Place::header) {
      place_ = name_ == kSafetensorsMetadata ? Place::metadata : Place::tensor;
    } else {
      unexpected();
    }
    return true;
  }

  bool key(std::string& key) override {
    if (place_ == Place::header) {
      begin_entry(key);
    } else if (place_ == Place::metadata) {
      if (weights_.metadata.contains(key))
        fail("has the key '" + cluster::printable(key) + "' twice");
      check_count(weights_.metadata.size());
      key_ = key;
    } else {
      if (key != "dtype" && key != "shape" && key != "data_offsets")
        fail("has the unknown key '" + cluster::printable(key) + "'");
      if (!keys_.insert(key).second) fail("has the key '" + key + "' twice");
      key_ = key;
    }
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::metadata) {
      weights_.metadata[key_] = value;
    } else if (place_ == Place::tensor && key_ == "dtype") {
      const auto type = type_named_in_safetensors(value);
      if (!type) fail("is of dtype '" + cluster::printable(value) + "', which is not read here");
      tensor_.type = *type;
    } else {
      unexpected();
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::tensor || key_ == "dtype") unexpected();
    place_ = key_ == "shape" ? Place::shape : Place::offsets;
    return true;
  }

  bool number_unsigned(json::number_unsigned_t value) override {
    if (place_ == Place::shape && tensor_.shape.size() < kMaxAxes) {
      tensor_.shape.push_back(static_cast<std::int64_t>(value));  // checked by size_bytes()
    } else if (place_ == Place::offsets && offsets_.size() < 2) {
      offsets_.push_back(value);
    } else {
      unexpected();
    }
    return true;
  }

  bool end_array() override {
    place_ = Place::tensor;
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor) end_tensor();
    place_ = place_ == Place::header ? Place::end : Place::header;
    return true;
  }

  bool null() override { unexpected(); }
  bool boolean(bool) override { unexpected(); }
  bool number_integer(json::number_integer_t) override { unexpected(); }
  bool number_float(json::number_float_t, const json::string_t&) override { unexpected(); }
  bool binary(json::binary_t&) override { unexpected(); }

  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    cluster::throw_environment(weights_.source + ": header is no JSON, from its byte " +
                               std::to_string(position) + " on");
  }

  // Tensors must follow one another without overlap or gap, to the end of the data.
  void check_coverage() {
    std::sort(ranges_.begin(), ranges_.end());
    std::uint64_t covered = 0;
    for (const auto& [begin, end, name] : ranges_) {
      name_ = *name;
      if (begin < covered) fail("overlaps another one");
      if (begin > covered)
        fail("begins " + std::to_string(begin - covered) + " bytes behind the one before it");
      covered = end;
    }
    if (covered < data_.size()) {
      cluster::throw_environment(weights_.source + ": has " +
                                 std::to_string(data_.size() - covered) +
                                 " bytes that belong to no tensor at its end");
    }
  }

 private:
  enum class Place { start, header, metadata, tensor, shape, offsets, end };
  struct Range {
    std::uint64_t begin, end;
    const std::string* name;
    bool operator<(const Range& other) const {
      return std::pair(begin, end) < std::pair(other.begin, other.end);
    }
  };

  void begin_entry(const std::string& name) {
    name_ = name.substr(0, kMaxTensorNameBytes);
    if (name.size() > kMaxTensorNameBytes)
      fail("has a name of more than " + std::to_string(kMaxTensorNameBytes) + " bytes");
    if (name == kSafetensorsMetadata ? std::exchange(has_metadata_, true)
                                     : weights_.tensors.contains(name))
      fail("is there twice");
    check_count(weights_.tensors.size());
    tensor_ = {};
    offsets_.clear();
    keys_.clear();
  }

  void end_tensor() {
    if (keys_.size() != 3 || offsets_.size() != 2)
      fail("lacks one of dtype, shape and two data_offsets");
    const std::optional<std::uint64_t> size = size_bytes(tensor_);
    if (!size) fail("has an impossible shape");
    const std::uint64_t begin = offsets_[0], end = offsets_[1];
    if (begin > end || end > data_.size()) {
      fail("lies at bytes " + std::to_string(begin) + " to " + std::to_string(end) +
           " of the data, the file has " + std::to_string(data_.size()));
    }
    if (end - begin != *size) {
      fail("has " + std::to_string(end - begin) + " bytes, its shape " + shape_text(tensor_.shape) +
           " of " + std::string(safetensors_name(tensor_.type)) + " takes " +
           std::to_string(*size));
    }
    tensor_.parts = {data_.substr(begin, end - begin)};
    const auto [entry, added] = weights_.tensors.emplace(name_, std::move(tensor_));
    MARQUEE_CHECK(added, "tensor '" + name_ + "' twice");
    ranges_.push_back({begin, end, &entry->first});
  }

  void check_count(std::size_t count) const {
    if (count >= kMaxStoredTensors) {
      cluster::throw_environment(weights_.source + ": has more than " +
                                 std::to_string(kMaxStoredTensors) + " tensors or metadata");
    }
  }

  [[noreturn]] void unexpected() const {
    if (place_ == Place::start)
      cluster::throw_environment(weights_.source + ": header is no JSON object");
    if (place_ == Place::metadata || name_ == kSafetensorsMetadata) fail("is no map of texts");
    fail("is not described by dtype, shape (whole numbers) and two data_offsets");
  }

  // What is wrong with the entry at hand.
  [[noreturn]] void fail(const std::string& what) const {
    const std::string entry =
        name_ == kSafetensorsMetadata ? name_ : "tensor '" + cluster::printable(name_) + "'";
    cluster::throw_environment(weights_.source + ": " + entry + " " + what);
  }

  std::string_view data_;
  WeightFile& weights_;
  Place place_ = Place::start;
  bool has_metadata_ = false;
  std::string name_, key_;
  std::set<std::string> keys_;
  StoredTensor tensor_;
  std::vector<std::uint64_t> offsets_;
  std::vector<Range> ranges_;
};

}  // namespace

bool looks_like_safetensors(std::string_view bytes) {
  constexpr std::uint64_t kImplausible = std::uint64_t{1} << 32;
  return bytes.size() > kLengthBytes && bytes[kLengthBytes] == '{' &&
         header_length(bytes) < kImplausible;
}

WeightFile parse_safetensors(std::string_view bytes, const std::string& source) {
  if (bytes.size() < kLengthBytes)
    cluster::throw_environment(source + ": too short for a safetensors file");
  const std::uint64_t length = header_length(bytes);
  if (length > kMaxHeaderBytes || length > bytes.size() - kLengthBytes) {
    cluster::throw_environment(source + ": header of " + std::to_string(length) +
                               " bytes does not fit the file");
  }
  const std::string_view header = bytes.substr(kLengthBytes, length);
  if (!header.starts_with('{')) cluster::throw_environment(source + ": header is no JSON object");

  WeightFile weights;
  weights.source = source;
  weights.format = "safetensors";
  HeaderReader reader(bytes.substr(kLengthBytes + length), weights);
  json::sax_parse(header.begin(), header.end(), &reader);
  reader.check_coverage();
  return weights;
}

}  // namespace marquee::workers
