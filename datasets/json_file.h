// JSON of data sets that somebody else wrote.
#pragma once

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

namespace marquee::datasets {

// The file's content; of the library's discarded kind where it is no JSON. Throws environment
// naming the file when it cannot be read, is larger than 16 MiB, or nested more than 64 deep: the
// library copies and prints values by recursion, and a file of brackets would exhaust the stack.
nlohmann::json read_json_file(const std::filesystem::path& file);

}  // namespace marquee::datasets
