// Walks the regular files of a zip or tar archive of unknown origin, in the order of the archive.
// Names are data: nothing is written anywhere.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace marquee::cluster {

// Not thread safe. Every failure is an environment error that names the archive, and the entry
// where there is one.
class ArchiveReader {
 public:
  // kZip: by its central directory, so that an archive that was cut off is none.
  enum Formats { kZipOrTar, kZip };

  ArchiveReader(const std::filesystem::path& path, Formats formats);
  ~ArchiveReader();

  // The next regular file; false behind the last.
  bool next();
  const std::string& name() const { return name_; }  // 1 to 4,096 bytes
  // The rest of the file's bytes, checksums verified. Throws for more than `most`, and where the
  // archive has unpacked to more than 1 GiB and 100 times its own size.
  std::string bytes(std::uint64_t most);

 private:
  struct State;

  // The next bytes of the file, up to `size`; 0 at its end.
  std::size_t read(char* into, std::size_t size);

  std::unique_ptr<State> state_;
  std::string name_;
};

}  // namespace marquee::cluster
