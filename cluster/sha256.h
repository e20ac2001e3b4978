// SHA-256 (OpenSSL) of bytes, text and files, as lower-case hex.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace marquee::cluster {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view bytes);
  std::string bytes();  // 32 of them; finishes: no update after it
  std::string hex();    // likewise

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string sha256_bytes(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);
// Throws environment when the file cannot be read.
std::string sha256_file(const std::filesystem::path& path);
// Whether `text` has the form of one: 64 lower-case hex digits. Run ids have it too.
bool is_sha256_hex(std::string_view text);

}  // namespace marquee::cluster
