// Walks the regular files of a zip or tar archive of unknown origin, in the order of the archive.
// Names are data: nothing is written anywhere.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/mapped_file.h"

namespace marquee::cluster {

// Not thread safe. Every failure is an environment error that names the archive, and the entry
// where there is one.
class ArchiveReader {
 public:
  // kZip: by its central directory, so that an archive that was cut off is none; mapped.
  enum Formats { kZipOrTar, kZip };

  ArchiveReader(const std::filesystem::path& path, Formats formats);
  ~ArchiveReader();

  // The next regular file; false behind the last.
  bool next();
  const std::string& name() const { return name_; }  // 1 to 4,096 bytes
  // Its bytes, as the archive says; nothing where it does not.
  std::optional<std::uint64_t> size() const { return size_; }
  // The rest of the file's bytes, checksums verified. Throws for more than `most`, and where the
  // archive has unpacked to more than 1 GiB and 100 times its own size.
  std::string bytes(std::uint64_t most);
  // The next bytes of the file, at most 1 MiB or so; empty at its end, where checksums are
  // verified. A view until the next call; of a file that lies uncompressed in a zip archive (kZip),
  // of mapping(), but for a few at its beginning.
  std::string_view block();
  // The archive itself; nothing but for kZip.
  const std::shared_ptr<const MappedFile>& mapping() const;

 private:
  struct State;

  std::unique_ptr<State> state_;
  std::string name_;
  std::optional<std::uint64_t> size_;
};

}  // namespace marquee::cluster
