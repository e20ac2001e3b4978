#include "workers/evaluation/array_source.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "cluster/error.h"
#include "workers/hdf5_file.h"
#include "workers/weight_files/mapped_npz.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;

using ArrayRow = std::vector<std::uint8_t>;
using Shape = std::vector<std::int64_t>;

constexpr std::int64_t kMaxImageBytes = std::int64_t{256} << 20;

bool is_images(const Shape& shape) {
  return shape.size() == 4 && shape[3] == 3;
}

// The name to use among those of arrays that could be images.
std::string chosen(const std::vector<std::string>& candidates, const fs::path& file) {
  for (const char* usual : {"images", "arr_0"}) {
    if (std::find(candidates.begin(), candidates.end(), usual) != candidates.end()) return usual;
  }
  if (candidates.size() == 1) return candidates.front();
  cluster::throw_environment(file.string() +
                             (candidates.empty()
                                  ? ": holds no uint8 array [n, height, width, 3]"
                                  : ": holds several arrays of images; name one of them 'images'"));
}

class ArraySource : public ImageSource {
 public:
  ArraySource(std::string source, const std::string& name, const Shape& shape)
      : source_(std::move(source)), images_(shape[0]), height_(shape[1]), width_(shape[2]) {
    const auto refuse = [&](const std::string& what) {
      cluster::throw_environment(source_ + ": '" + name + "' is " + shape_text(shape) + ": " +
                                 what);
    };
    if (images_ <= 0) refuse("holds no image");
    if (height_ <= 0 || width_ <= 0) refuse("the images are empty");
    if (height_ > kMaxImageBytes / 3 / width_) refuse("an image of more than 256 MiB");
  }

  std::size_t size() const override { return static_cast<std::size_t>(images_); }
  std::string where(std::size_t index) const override {
    return source_ + ": image " + std::to_string(index);
  }
  datasets::Image image(std::size_t index) const override {
    return {static_cast<int>(height_), static_cast<int>(width_), row(index)};
  }
  std::string stored_bytes(std::size_t index) const override {
    const ArrayRow bytes = row(index);
    // With the size: rows of other shapes can have the same bytes.
    return std::to_string(height_) + "x" + std::to_string(width_) + "\n" +
           std::string(bytes.begin(), bytes.end());
  }

 protected:
  // The image's bytes, row by row.
  virtual ArrayRow row(std::size_t index) const = 0;
  std::int64_t row_bytes() const { return height_ * width_ * 3; }
  std::int64_t height() const { return height_; }
  std::int64_t width() const { return width_; }

 private:
  std::string source_;
  std::int64_t images_, height_, width_;
};

class NpzSource : public ArraySource {
 public:
  NpzSource(const fs::path& path, const std::string& name, MappedNpy array)
      : ArraySource(path.string(), name, array.header.layout.shape), array_(std::move(array)) {}

 private:
  ArrayRow row(std::size_t index) const override {
    if (array_.header.fortran) return gathered(index);
    const auto size = static_cast<std::size_t>(row_bytes());
    const std::string_view bytes = array_.numbers.substr(index * size, size);
    ArrayRow row(bytes.begin(), bytes.end());
    // Its pages at both ends too, which belong to the neighbours: all are on the disk.
    constexpr std::size_t kMargin = 1 << 16;
    const std::string_view whole = array_.file->bytes();
    const auto at = static_cast<std::size_t>(bytes.data() - whole.data());
    const std::size_t before = std::min(at, kMargin);
    array_.file->release(whole.substr(at - before, before + size + kMargin));
    return row;
  }

  ArrayRow gathered(std::size_t index) const {
    const std::size_t n = size(), h = static_cast<std::size_t>(height()),
                      w = static_cast<std::size_t>(width());
    ArrayRow row;
    row.reserve(static_cast<std::size_t>(row_bytes()));
    for (std::size_t y = 0; y < h; ++y)
      for (std::size_t x = 0; x < w; ++x)
        for (std::size_t channel = 0; channel < 3; ++channel)
          row.push_back(
              static_cast<std::uint8_t>(array_.numbers[index + n * (y + h * (x + w * channel))]));
    return row;
  }

  MappedNpy array_;
};

class Hdf5Source : public ArraySource {
 public:
  Hdf5Source(Hdf5File file, const std::string& name)
      : ArraySource(file.path().string(), name, file.shape(name)),
        file_(std::move(file)),
        name_(name) {
    const Hdf5File::Storage storage = file_.storage(name_);
    check_claims(storage);
    // Whole chunks, since every look into one unpacks all of it.
    const std::int64_t chunk = storage.chunk.empty() ? 1 : storage.chunk[0];
    window_ = std::max<std::int64_t>(kWindowBytes / row_bytes() / chunk, 1) * chunk;
    window_ = std::min(window_, static_cast<std::int64_t>(size()));
  }

 private:
  static constexpr std::int64_t kWindowBytes = std::int64_t{32} << 20;
  static constexpr std::int64_t kMaxChunkBytes = std::int64_t{1} << 30;

  // A few bytes of a file can claim any shape.
  void check_claims(const Hdf5File::Storage& storage) const {
    constexpr std::int64_t kAlwaysAllowed = std::int64_t{1} << 30, kMostTimesLarger = 100;
    const auto refuse = [&](const std::string& what) {
      cluster::throw_environment(file_.path().string() + ": '" + name_ + "' " + what);
    };
    std::int64_t chunk = 1;
    for (const std::int64_t extent : storage.chunk) {
      if (extent <= 0 || chunk > kMaxChunkBytes / extent) refuse("has chunks of more than 1 GiB");
      chunk *= extent;
    }
    if (!storage.chunk.empty() && storage.chunk[0] > kMaxChunkBytes / row_bytes())
      refuse("has chunks of more than 1 GiB");
    const auto in_file = static_cast<std::int64_t>(fs::file_size(file_.path()));
    if (storage.bytes < 0 || storage.bytes > in_file) refuse("takes more bytes than the file has");
    const std::int64_t allowed = storage.chunk.empty()
                                     ? storage.bytes
                                     : std::max(kAlwaysAllowed, kMostTimesLarger * storage.bytes);
    if (static_cast<std::int64_t>(size()) > allowed / row_bytes())
      refuse("is of " + std::to_string(size()) + " images, for which its " +
             std::to_string(storage.bytes) + " bytes in the file are too few");
  }

  ArrayRow row(std::size_t index) const override {
    const std::scoped_lock lock(mutex_);
    const auto at = static_cast<std::int64_t>(index);
    const std::int64_t begin = at / window_ * window_;
    if (begin != begin_ || !rows_.defined()) {
      rows_ = Tensor();
      rows_ = file_.read_rows(name_, begin,
                              std::min(window_, static_cast<std::int64_t>(size()) - begin));
      begin_ = begin;
    }
    const auto* first = rows_.const_data_ptr<std::uint8_t>() + (at - begin) * row_bytes();
    return {first, first + row_bytes()};
  }

  Hdf5File file_;
  std::string name_;
  std::int64_t window_ = 1;
  mutable std::mutex mutex_;  // of the file too
  mutable Tensor rows_;       // from begin_ on
  mutable std::int64_t begin_ = 0;
};

}  // namespace

std::unique_ptr<ImageSource> open_hdf5_images(const fs::path& path) {
  Hdf5File file = Hdf5File::open_read(path);
  std::vector<std::string> candidates;
  for (const std::string& name : file.children(""))
    if (!file.is_group(name) && is_images(file.shape(name))) candidates.push_back(name);
  const std::string name = chosen(candidates, path);
  if (file.type(name) != torch::kUInt8)
    cluster::throw_environment(path.string() + ": '" + name + "' is not of type uint8");
  return std::make_unique<Hdf5Source>(std::move(file), name);
}

std::unique_ptr<ImageSource> open_npz_images(const fs::path& path, const fs::path& scratch) {
  std::vector<std::string> candidates;
  for (const auto& [name, header] : npz_headers(path)) {
    if (header.unsupported.empty() && header.layout.type == ElementType::u8 &&
        is_images(header.layout.shape))
      candidates.push_back(name);
  }
  const std::string name = chosen(candidates, path);
  return std::make_unique<NpzSource>(path, name, map_npz_array(path, name, scratch));
}

}  // namespace marquee::workers
