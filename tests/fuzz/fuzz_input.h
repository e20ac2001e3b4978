// What the fuzz targets share: a file in memory with the input, and the rule that only our own
// errors are allowed to leave a reader.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "cluster/error.h"

namespace marquee::fuzz {

// A file with these bytes under a folder of this process; gone with it.
std::filesystem::path file_with(std::string_view name, std::string_view bytes);

// The input as text.
inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Runs the reader and returns the message of its error, or nothing. A marquee error is an answer,
// anything else is a finding.
template <typename Read>
std::string expect_answer(Read read) {
  try {
    read();
    return "";
  } catch (const cluster::Error& error) {
    // A message that names what is wrong, and no defect of ours.
    if (error.kind() == cluster::ErrorKind::defect || std::string_view(error.what()).empty())
      __builtin_trap();
    return error.what();
  }
}

// Tells libFuzzer that an input led somewhere: libraries are not instrumented, so what they say is
// all it sees of them.
void count_outcome(std::string_view outcome);
// The same for a message, without its numbers and what it quotes.
void count_error(std::string_view message);

}  // namespace marquee::fuzz
