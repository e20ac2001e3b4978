// tf.train.Example written by hand, so that tests can have any features.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace marquee::datasets {

class WrittenExample {
 public:
  WrittenExample& add(const std::string& key, const std::vector<float>& values) {
    std::string packed(values.size() * sizeof(float), '\0');
    if (!values.empty()) std::memcpy(packed.data(), values.data(), packed.size());
    return feature(key, 2, packed);
  }
  WrittenExample& add(const std::string& key, const std::vector<std::int64_t>& values) {
    std::string packed;
    for (const std::int64_t value : values) packed += varint(static_cast<std::uint64_t>(value));
    return feature(key, 3, packed);
  }
  std::string bytes() const { return field(1, entries_); }

 private:
  static std::string varint(std::uint64_t value) {
    std::string text;
    for (; value >= 128; value >>= 7) text += static_cast<char>(value | 128);
    return text + static_cast<char>(value);
  }
  static std::string field(std::uint64_t number, const std::string& content) {
    return varint(number << 3 | 2) + varint(content.size()) + content;
  }
  WrittenExample& feature(const std::string& key, std::uint64_t kind, const std::string& packed) {
    const std::string list = field(1, packed);
    entries_ += field(1, field(1, key) + field(2, field(kind, list)));
    return *this;
  }
  std::string entries_;
};

}  // namespace marquee::datasets
