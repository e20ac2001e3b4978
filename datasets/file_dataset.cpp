#include "datasets/file_dataset.h"

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "datasets/decode.h"

namespace marquee::datasets {

Image FileDataset::image(std::size_t index) const {
  constexpr std::uintmax_t kMaxBytes = std::uintmax_t{256} << 20;
  const std::filesystem::path& path = files_.at(index).path;
  const std::string bytes = cluster::read_file(path, kMaxBytes);
  try {
    return decode_image(std::as_bytes(std::span(bytes)));
  } catch (cluster::Error& error) {
    error.add_context(path.string());
    throw;
  }
}

}  // namespace marquee::datasets
