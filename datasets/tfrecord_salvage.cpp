#include "datasets/tfrecord_salvage.h"

#include <fstream>
#include <optional>

#include "cluster/error.h"
#include "datasets/tfrecord_framing.h"

namespace marquee::datasets {
namespace {

// Bytes of a file from any place, read a MiB at a time.
class Window {
 public:
  explicit Window(const std::filesystem::path& file) : file_(file), in_(file, std::ios::binary) {
    std::error_code error;
    size_ = std::filesystem::file_size(file, error);
    if (!in_ || error) cluster::throw_environment(file.string() + ": cannot be read");
  }
  std::uint64_t size() const { return size_; }
  // `count` bytes that the file holds; valid until the next call.
  const char* at(std::uint64_t offset, std::size_t count) {
    constexpr std::size_t kStep = std::size_t{1} << 20;
    if (offset < first_ || offset + count > first_ + bytes_.size()) {
      first_ = offset;
      bytes_.resize(std::min<std::uint64_t>(std::max(count, kStep), size_ - offset));
      in_.seekg(static_cast<std::streamoff>(offset));
      if (!in_.read(bytes_.data(), static_cast<std::streamsize>(bytes_.size())))
        cluster::throw_environment(file_.string() + ": cannot be read at byte " +
                                   std::to_string(offset));
    }
    return bytes_.data() + (offset - first_);
  }

 private:
  std::filesystem::path file_;
  std::ifstream in_;
  std::uint64_t size_ = 0, first_ = 0;
  std::string bytes_;
};

// Why no record begins at `at`; nothing where one does, whose length is set.
std::optional<std::string> fault_at(Window& file, std::uint64_t at, std::uint64_t& length) {
  const std::uint64_t left = file.size() - at;
  const char* header = left < kHeaderBytes ? nullptr : file.at(at, kHeaderBytes);
  const std::optional<std::string> fault = framing_fault(header, at, left);
  if (!fault) length = number_at<std::uint64_t>(header);
  return fault;
}

// The next place behind `at` where a whole record begins.
std::optional<std::uint64_t> next_record(Window& file, std::uint64_t at) {
  for (++at; at + kHeaderBytes + kFooterBytes <= file.size(); ++at) {
    std::uint64_t length = 0;
    if (!checksum_fits(file.at(at, kHeaderBytes), sizeof length)) continue;
    if (!fault_at(file, at, length) &&
        checksum_fits(file.at(at + kHeaderBytes, length + kFooterBytes), length))
      return at;
  }
  return std::nullopt;
}

}  // namespace

SalvagedRecords salvage_records(const std::filesystem::path& path) {
  Window file(path);
  SalvagedRecords found;
  for (std::uint64_t at = 0; at < file.size();) {
    std::uint64_t length = 0;
    if (const std::optional<std::string> fault = fault_at(file, at, length)) {
      const std::optional<std::uint64_t> next = next_record(file, at);
      found.broken.push_back(
          {found.places.size(), at,
           *fault + (next ? "; the next record begins at byte " + std::to_string(*next)
                          : "; no record follows")});
      at = next.value_or(file.size());
      continue;
    }
    found.places.push_back({at, length});
    at += kHeaderBytes + length + kFooterBytes;
  }
  return found;
}

}  // namespace marquee::datasets
