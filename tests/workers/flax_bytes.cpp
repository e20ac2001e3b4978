#include "tests/workers/flax_bytes.h"

namespace marquee::workers::flax {
namespace {

// A type byte and a length of 32 bits.
std::string head(int tag, std::uint64_t size) {
  std::string text(1, static_cast<char>(tag));
  return text += big(size, 4);
}

}  // namespace

std::string big(std::uint64_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    text += static_cast<char>((value >> shift) & 255);
  return text;
}

std::string str(std::string_view text) {
  return head(0xdb, text.size()).append(text);
}
std::string number(std::uint64_t value) {
  std::string text(1, '\xcf');
  return text += big(value, 8);
}
std::string bin(std::string_view bytes) {
  return head(0xc6, bytes.size()).append(bytes);
}
std::string list(const std::vector<std::string>& items) {
  std::string text = head(0xdd, items.size());
  for (const std::string& item : items) text += item;
  return text;
}
std::string map(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string text = head(0xdf, entries.size());
  for (const auto& [key, value] : entries) text += str(key) + value;
  return text;
}
std::string extension(int type, std::string_view content) {
  std::string text = head(0xc9, content.size());
  text += static_cast<char>(type);
  return text.append(content);
}

std::string array_content(const std::vector<std::uint64_t>& shape, std::string_view dtype,
                          std::string_view bytes) {
  std::vector<std::string> extents;
  for (const std::uint64_t extent : shape) extents.push_back(number(extent));
  return list({list(extents), str(dtype), bin(bytes)});
}
std::string array(const std::vector<std::uint64_t>& shape, std::string_view dtype,
                  std::string_view bytes) {
  return extension(1, array_content(shape, dtype, bytes));
}

}  // namespace marquee::workers::flax
