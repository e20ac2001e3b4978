// Facts of this build, stored beside every result and printed by --version. Thread safe; the text
// lives as long as the program.
#pragma once

#include <string>
#include <string_view>

namespace marquee::cluster {

std::string_view build_version();  // "0.1.0"
std::string_view build_commit();   // abbreviated git commit, "-dirty" behind it where files changed
std::string_view build_compiler();  // "GNU 12.2.0"
std::string_view build_type();      // "Release"
bool built_with_cuda();

// "marquee 0.1.0 (commit)" and a line each for compiler and type: the start of --version.
std::string build_text(std::string_view program);

}  // namespace marquee::cluster
