#include "cluster/durable_file.h"

#include <atomic>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "cluster/error.h"
#include "cluster/failpoint.h"

namespace marquee::cluster {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& path) {
  const std::filesystem::path parent = path.parent_path();
  return parent.empty() ? std::filesystem::path(".") : parent;
}

std::filesystem::path aside(const std::filesystem::path& path) {
  static std::atomic<unsigned> counter{0};
  return folder_of(path) / ("." + path.filename().string() + ".tmp-" + std::to_string(::getpid()) +
                            "-" + std::to_string(counter++));
}

}  // namespace

void sync_file(const std::filesystem::path& path) {
  Descriptor(path, O_RDONLY).sync();
}
void sync_directory(const std::filesystem::path& path) {
  Descriptor(path, O_RDONLY | O_DIRECTORY).sync();
}

void create_directories_durably(const std::filesystem::path& path) {
  if (path.empty() || std::filesystem::is_directory(path)) return;
  create_directories_durably(path.parent_path());
  std::error_code error;
  std::filesystem::create_directory(path, error);
  if (error) throw_environment(path.string() + ": folder cannot be made (" + error.message() + ")");
  sync_directory(folder_of(path));
}

StagedFile::StagedFile(std::filesystem::path final_path)
    : final_(std::move(final_path)), staging_(aside(final_)) {}

StagedFile::~StagedFile() {
  std::error_code ignored;
  if (!committed_) std::filesystem::remove(staging_, ignored);
}

void StagedFile::commit() {
  failpoint("file.written");
  sync_file(staging_);
  failpoint("file.synced");
  std::error_code error;
  std::filesystem::rename(staging_, final_, error);
  if (error)
    throw_environment(final_.string() + ": cannot be put in place (" + error.message() + ")");
  committed_ = true;
  failpoint("file.renamed");
  sync_directory(folder_of(final_));
}

DurableWriter::DurableWriter(const std::filesystem::path& path)
    : staged_(path), file_(std::in_place, staged_.staging_path(), O_WRONLY | O_CREAT | O_TRUNC) {}

void DurableWriter::append(std::string_view bytes) {
  MARQUEE_CHECK(file_.has_value(), "append after commit");
  file_->write(bytes);
}

void DurableWriter::commit() {
  file_.reset();
  staged_.commit();
}

void write_file_durably(const std::filesystem::path& path, std::string_view bytes) {
  DurableWriter writer(path);
  writer.append(bytes);
  writer.commit();
}

std::string read_file(const std::filesystem::path& path, std::uintmax_t max_bytes) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw_environment(path.string() + ": cannot be read (" + error.message() + ")");
  if (size > max_bytes) {
    throw_environment(path.string() + ": is " + std::to_string(size) + " bytes, at most " +
                      std::to_string(max_bytes) + " are read");
  }
  std::string bytes(size, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  if (static_cast<std::uintmax_t>(file.gcount()) != size)
    throw_environment(path.string() + ": could not be read whole");
  return bytes;
}

}  // namespace marquee::cluster
