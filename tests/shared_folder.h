// Where the data that the tests compare with lie: MARQUEE_SHARED, default ../shared beside the
// repository, and in it the golden values unless MARQUEE_REFERENCE_DIR names them. An empty
// variable counts as none. Tests skip with a named reason where the folder is absent.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace marquee {

inline std::filesystem::path folder_named_by(const char* variable,
                                             const std::filesystem::path& otherwise) {
  const char* named = std::getenv(variable);
  return named != nullptr && *named != '\0' ? std::filesystem::path(named) : otherwise;
}

inline std::filesystem::path shared_folder() {
  return folder_named_by("MARQUEE_SHARED",
                         std::filesystem::path(MARQUEE_SOURCE_DIR) / ".." / "shared");
}

inline std::filesystem::path reference_folder() {
  return folder_named_by("MARQUEE_REFERENCE_DIR", shared_folder() / "reference");
}

}  // namespace marquee
