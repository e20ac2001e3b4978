#include "workers/evaluation/image_source.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <span>
#include <vector>

#include "cluster/error.h"
#include "cluster/mapped_file.h"
#include "cluster/sha256.h"
#include "cluster/text.h"
#include "datasets/dataset.h"
#include "datasets/decode.h"
#include "datasets/image_archive.h"
#include "workers/evaluation/array_source.h"
#include "workers/evaluation/run_source.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFewest = 1;

std::string lower_end(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  std::string end(dot == std::string_view::npos ? "" : name.substr(dot));
  for (char& letter : end)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return end;
}

datasets::Image decoded(const std::string& bytes, const std::string& where) {
  try {
    return datasets::decode_image(std::as_bytes(std::span(bytes)));
  } catch (const cluster::Error& error) {
    throw cluster::Error(error.kind(), where + ": " + error.what());
  }
}

class FolderSource : public ImageSource {
 public:
  FolderSource(const fs::path& folder, bool recursive) {
    std::error_code failed;
    const auto add = [&](const fs::directory_entry& entry) {
      if (has_image_name(entry.path().filename().string()) && entry.is_regular_file())
        files_.push_back(entry.path());
    };
    if (recursive) {
      for (const auto& entry : fs::recursive_directory_iterator(folder, failed)) add(entry);
    } else {
      for (const auto& entry : fs::directory_iterator(folder, failed)) add(entry);
    }
    if (failed) cluster::throw_environment(folder.string() + ": " + failed.message());
    std::sort(files_.begin(), files_.end(),
              [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
    if (files_.size() < kFewest) {
      cluster::throw_environment(folder.string() +
                                 ": holds no image (.png, .jpg, .jpeg, .webp, "
                                 ".gif, .bmp)" +
                                 (recursive ? "" : "; --recursive looks into its folders too"));
    }
  }

  std::size_t size() const override { return files_.size(); }
  std::string where(std::size_t index) const override { return files_[index].string(); }
  datasets::Image image(std::size_t index) const override {
    const auto file = cluster::MappedFile::open(files_[index]);
    return decoded(std::string(file->bytes()), where(index));
  }
  std::string stored_bytes(std::size_t index) const override {
    return std::string(cluster::MappedFile::open(files_[index])->bytes());
  }

 private:
  std::vector<fs::path> files_;
};

// Names that would leave the folder they are unpacked in. Here they never become paths, but who
// wrote them meant no good, or their archiver was broken.
void check_name(const std::string& name, const fs::path& archive) {
  const fs::path path(name);
  const bool leaves = path.is_absolute() || std::find(path.begin(), path.end(), "..") != path.end();
  if (leaves) {
    cluster::throw_environment(archive.string() + ": entry '" + cluster::printable(name) +
                               "' has an absolute name or one with '..'");
  }
}

class ArchiveSource : public ImageSource {
 public:
  ArchiveSource(const fs::path& path, const fs::path& cache) : archive_(path, cache) {
    for (std::string& name : archive_.names()) {
      check_name(name, path);
      if (has_image_name(name)) names_.push_back(std::move(name));
    }
    if (names_.size() < kFewest) cluster::throw_environment(path.string() + ": holds no image");
  }

  std::size_t size() const override { return names_.size(); }
  std::string where(std::size_t index) const override {
    return archive_.path().string() + ": " + cluster::printable(names_[index]);
  }
  datasets::Image image(std::size_t index) const override {
    return decoded(archive_.bytes(names_[index]), where(index));
  }
  std::string stored_bytes(std::size_t index) const override {
    return archive_.bytes(names_[index]);
  }

 private:
  datasets::ImageArchive archive_;
  std::vector<std::string> names_;
};

class SplitSource : public ImageSource {
 public:
  SplitSource(const std::string& task, const std::string& split, const SourceOptions& options)
      : name_(task + ":" + split),
        dataset_(datasets::open_dataset(datasets::find_task(task), split,
                                        datasets::DataFolder(options.data, options.cache))) {}

  std::size_t size() const override { return dataset_->size(); }
  std::string where(std::size_t index) const override {
    return name_ + ", image " + dataset_->id(index);
  }
  datasets::Image image(std::size_t index) const override { return dataset_->image(index); }
  std::string stored_bytes(std::size_t index) const override {
    return dataset_->image_bytes(index);
  }

 private:
  std::string name_;
  std::unique_ptr<datasets::Dataset> dataset_;
};

}  // namespace

bool has_image_name(std::string_view name) {
  constexpr std::array<std::string_view, 6> kEnds{".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"};
  return std::find(kEnds.begin(), kEnds.end(), lower_end(name)) != kEnds.end();
}

std::unique_ptr<ImageSource> open_image_source(const std::string& what,
                                               const SourceOptions& options) {
  const fs::path path(what);
  if (is_run(path)) return open_run_images(path, options.assets);
  if (fs::is_directory(path)) return std::make_unique<FolderSource>(path, options.recursive);
  if (fs::is_regular_file(path)) {
    const std::string end = lower_end(path.filename().string());
    if (end == ".h5" || end == ".hdf5") return open_hdf5_images(path);
    if (end == ".npz") return open_npz_images(path, options.cache);
    return std::make_unique<ArchiveSource>(path, options.cache);
  }
  const std::size_t colon = what.rfind(':');
  if (colon != std::string::npos && colon > 0)
    return std::make_unique<SplitSource>(what.substr(0, colon), what.substr(colon + 1), options);
  cluster::throw_usage("'" + what +
                       "' is no folder, archive, .h5 or .npz file, no run and no TASK:SPLIT");
}

std::string content_hash(const ImageSource& source) {
  std::string hashes;
  for (std::size_t i = 0; i < source.size(); ++i)
    hashes += cluster::sha256_hex(source.stored_bytes(i)) + "\n";
  return cluster::sha256_hex(hashes);
}

}  // namespace marquee::workers
