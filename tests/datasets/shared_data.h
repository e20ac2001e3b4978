// Where the data that the tests compare with lie: MARQUEE_SHARED, default ../shared beside the
// repository. Tests skip with a named reason where it is absent.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cluster/sha256.h"
#include "datasets/image.h"

namespace marquee::datasets {

inline std::filesystem::path shared_data() {
  const char* named = std::getenv("MARQUEE_SHARED");
  const std::filesystem::path shared =
      named != nullptr ? std::filesystem::path(named)
                       : std::filesystem::path(MARQUEE_SOURCE_DIR) / ".." / "shared";
  return shared / "data";
}

inline nlohmann::json read_json(const std::filesystem::path& file) {
  std::ifstream in(file);
  return nlohmann::json::parse(in);
}

inline std::string read_bytes(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline std::string rgb_hash(const Image& image) {
  return cluster::sha256_hex({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()});
}

}  // namespace marquee::datasets

#define MARQUEE_NEEDS(path)           \
  if (!std::filesystem::exists(path)) \
  GTEST_SKIP() << (path).string() << " is absent (MARQUEE_SHARED names the folder above data/)"
