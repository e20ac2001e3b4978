// The shared data (tests/shared_folder.h) and what tests read of them.
#pragma once

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cluster/sha256.h"
#include "datasets/image.h"
#include "tests/shared_folder.h"

namespace marquee::datasets {

inline std::filesystem::path shared_data() {
  return shared_folder() / "data";
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
