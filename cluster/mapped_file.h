// A whole file as read-only memory. All processes that map a file share its pages, and pages that
// nobody reads cost no memory. The mapping is shared and its descriptor read-only, so not even
// mprotect makes it writable: a write is a segmentation fault. Files of ours are replaced by
// renaming, which leaves a mapping as it was; a file that is shortened in place while it is mapped
// ends its readers with SIGBUS. Thread safe.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

namespace marquee::cluster {

class MappedFile {
 public:
  // Whoever keeps views of bytes() keeps this pointer. Throws environment naming the file when it
  // cannot be opened or is no regular file.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string_view bytes() const { return bytes_; }  // begins at a page; empty for an empty file

  // For who is about to read all of it: the system may fetch it from the disk in one go.
  void read_ahead() const;

  // For who has read `part`, a view of bytes(): its whole pages stop counting as this process's
  // memory until they are read again.
  void release(std::string_view part) const;

 private:
  MappedFile(std::filesystem::path path, std::string_view bytes);

  std::filesystem::path path_;
  std::string_view bytes_;
};

}  // namespace marquee::cluster
