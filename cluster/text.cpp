#include "cluster/text.h"

#include <cstdint>
#include <cstdio>

namespace marquee::cluster {
namespace {

struct Character {
  char32_t code = 0;
  std::size_t size = 0;  // bytes; 0: no UTF-8
};

// The character that `text` starts with; it is not empty.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {};
  char32_t code = lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3FU);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kSmallest[size] || surrogate || code > 0x10FFFF) return {};
  return {code, size};
}

bool controls(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x061C ||
         (code >= 0x200E && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

std::string hex(const char* format, std::uint32_t value) {
  char text[24];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string escaped(char32_t code) {
  if (code == '\n') return "\\n";
  if (code == '\t') return "\\t";
  return hex(code < 0x100 ? "\\x%02x" : "\\u{%04x}", code);
}

}  // namespace

std::optional<std::size_t> invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Character character = first_character(text.substr(at));
    if (character.size == 0) return at;
    at += character.size;
  }
  return std::nullopt;
}

std::optional<std::string> control_character(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Character character = first_character(text.substr(at));
    if (character.size > 0 && controls(character.code)) return hex("U+%04X", character.code);
    at += character.size > 0 ? character.size : 1;
  }
  return std::nullopt;
}

std::string printable(std::string_view text, bool keep_lines) {
  std::string shown;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = first_character(text.substr(at));
    if (character.size == 0) {
      shown += hex("\\x%02x", static_cast<unsigned char>(text[at++]));
      continue;
    }
    const bool stays = !controls(character.code) || (keep_lines && character.code == '\n');
    shown += stays ? std::string(text.substr(at, character.size)) : escaped(character.code);
    at += character.size;
  }
  return shown;
}

}  // namespace marquee::cluster
