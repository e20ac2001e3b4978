#include "datasets/file_dataset.h"

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "datasets/decode.h"

namespace marquee::datasets {

std::string FileDataset::image_bytes(std::size_t index) const {
  constexpr std::uintmax_t kMaxBytes = std::uintmax_t{256} << 20;
  return cluster::read_file(files_.at(index).path, kMaxBytes);
}

std::uint64_t FileDataset::stored_bytes(std::size_t index) const {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(files_.at(index).path, error);
  return error ? 0 : bytes;
}

Image FileDataset::image(std::size_t index) const {
  const std::string bytes = image_bytes(index);
  try {
    return decode_image(std::as_bytes(std::span(bytes)), options_);
  } catch (cluster::Error& error) {
    error.add_context(files_.at(index).path.string());
    throw;
  }
}

}  // namespace marquee::datasets
