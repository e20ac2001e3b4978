// Writes msgpack as flax.serialization does, byte by byte, so that tests can also write what no
// library would.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace marquee::workers::flax {

// Big-endian, as msgpack's lengths are.
std::string big(std::uint64_t value, int bytes);

std::string str(std::string_view text);
std::string number(std::uint64_t value);
std::string bin(std::string_view bytes);
std::string list(const std::vector<std::string>& items);
std::string map(const std::vector<std::pair<std::string, std::string>>& entries);
std::string extension(int type, std::string_view content);

// Of an array: what is inside of the extension, and the whole.
std::string array_content(const std::vector<std::uint64_t>& shape, std::string_view dtype,
                          std::string_view bytes);
std::string array(const std::vector<std::uint64_t>& shape, std::string_view dtype,
                  std::string_view bytes);

}  // namespace marquee::workers::flax
