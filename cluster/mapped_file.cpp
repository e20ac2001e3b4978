#include "cluster/mapped_file.h"

#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/descriptor.h"
#include "cluster/error.h"

namespace marquee::cluster {

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a pipe must not wait for somebody who writes to it.
  const Descriptor file(path, O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) file.fail("cannot be examined");
  if (!S_ISREG(status.st_mode)) {
    throw_environment(path.string() +
                      (S_ISDIR(status.st_mode) ? ": is a folder" : ": is no regular file") +
                      "; a file is expected");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* memory = nullptr;
  if (size > 0) {
    memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.number(), 0);
    if (memory == MAP_FAILED) file.fail("cannot be mapped into memory");
  }
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, {static_cast<const char*>(memory), size}));
}

MappedFile::MappedFile(std::filesystem::path path, std::string_view bytes)
    : path_(std::move(path)), bytes_(bytes) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

void MappedFile::read_ahead() const {
  // Advice: whether it was taken changes nothing but time.
  if (!bytes_.empty()) ::madvise(const_cast<char*>(bytes_.data()), bytes_.size(), MADV_WILLNEED);
}

void MappedFile::release(std::string_view part) const {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<std::size_t>(part.data() - bytes_.data());
  const std::size_t first = (offset + page - 1) / page * page,
                    last = (offset + part.size()) / page * page;
  if (first < last)
    ::madvise(const_cast<char*>(bytes_.data()) + first, last - first, MADV_DONTNEED);
}

}  // namespace marquee::cluster
