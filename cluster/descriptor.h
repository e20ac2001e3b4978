// An open file, closed with its owner. Every failure names the path it was opened by.
#pragma once

#include <filesystem>
#include <string_view>

namespace marquee::cluster {

class Descriptor {
 public:
  // open(2) with O_CLOEXEC; a new file gets mode 0644. Throws environment.
  Descriptor(std::filesystem::path path, int flags);
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number() const { return fd_; }
  // All of the bytes. Throws environment (full disk).
  void write(std::string_view bytes) const;
  void sync() const;
  // Throws environment: the path, what went wrong, and why by errno.
  [[noreturn]] void fail(std::string_view what) const;

 private:
  std::filesystem::path path_;
  int fd_;
};

}  // namespace marquee::cluster
