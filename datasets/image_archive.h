// A zip or tar archive of images (also compressed), read by the names of its files.
//
// It is unpacked once, into one TFRecord file of the cache: names stay data, never become paths.
// The copy's name holds the archive's name, size and time, so that another archive is unpacked
// anew; two builders at once write aside and rename, and the later one wins with the same bytes.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "datasets/tfrecord.h"

namespace marquee::datasets {

// Names of the regular files of an archive, in byte order, without a folder that all of them lie
// in; nothing is unpacked. Throws as ImageArchive does.
std::vector<std::string> archive_names(const std::filesystem::path& path);

class ImageArchive {
 public:
  // Throws environment naming archive and entry for what is damaged or beyond the limits
  // (image_folder.h).
  ImageArchive(std::filesystem::path path, const std::filesystem::path& cache);

  const std::filesystem::path& path() const { return path_; }
  // Of regular files, as stored, without a folder that all of them lie in.
  std::vector<std::string> names() const;
  std::string bytes(const std::string& name) const;

 private:
  std::filesystem::path path_;
  TfRecordFile pack_;
  std::map<std::string, std::size_t> records_;
};

}  // namespace marquee::datasets
