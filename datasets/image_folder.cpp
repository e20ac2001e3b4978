#include "datasets/image_folder.h"

#include <algorithm>

#include "cluster/error.h"
#include "datasets/decode.h"
#include "datasets/file_dataset.h"
#include "datasets/image_archive.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = 10'000'000;
constexpr const char* kArchives[] = {".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"};

// All files below a folder, relative, with '/'.
std::vector<std::string> files_below(const fs::path& root) {
  std::vector<std::string> paths;
  std::error_code error;
  fs::recursive_directory_iterator entries(root, fs::directory_options::follow_directory_symlink,
                                           error);
  if (error)
    cluster::throw_environment(root.string() + ": cannot be read (" + error.message() + ")");
  for (const auto end = fs::end(entries); entries != end; entries.increment(error)) {
    if (error)
      cluster::throw_environment(root.string() + ": cannot be read (" + error.message() + ")");
    constexpr int kDeepest = 32;
    if (entries.depth() > kDeepest)
      cluster::throw_environment(entries->path().string() + ": more than 32 folders deep");
    if (entries->is_regular_file(error))
      paths.push_back(entries->path().lexically_relative(root).generic_string());
    if (paths.size() > kMaxFiles)
      cluster::throw_environment(root.string() + ": holds more than 10 million files");
  }
  return paths;
}

class ArchiveDataset : public Dataset {
 public:
  ArchiveDataset(std::shared_ptr<const ImageArchive> archive, std::vector<FolderImage> images,
                 int num_classes, const DecodeOptions& options)
      : archive_(std::move(archive)),
        images_(std::move(images)),
        num_classes_(num_classes),
        options_(options) {}
  std::size_t size() const override { return images_.size(); }
  int num_classes() const override { return num_classes_; }
  int label(std::size_t index) const override { return images_.at(index).label; }
  std::string id(std::size_t index) const override { return images_.at(index).path; }
  std::string image_bytes(std::size_t index) const override {
    return archive_->bytes(images_.at(index).path);
  }
  std::uint64_t stored_bytes(std::size_t index) const override { return image_bytes(index).size(); }
  Image image(std::size_t index) const override {
    const std::string& path = images_.at(index).path;
    const std::string bytes = image_bytes(index);
    try {
      return decode_image(std::as_bytes(std::span(bytes)), options_);
    } catch (cluster::Error& error) {
      error.add_context(archive_->path().string() + ": " + path);
      throw;
    }
  }

 private:
  std::shared_ptr<const ImageArchive> archive_;
  std::vector<FolderImage> images_;
  int num_classes_;
  DecodeOptions options_;
};

std::vector<FolderImage> joined(std::vector<FolderImage> first,
                                const std::vector<FolderImage>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

std::vector<FolderImage> head(std::vector<FolderImage> images, std::size_t count) {
  images.resize(std::min(images.size(), count));
  return images;
}

std::vector<FolderImage> images_of(const FolderSplits& splits, std::string_view split) {
  if (split == "train") return splits.train;
  if (split == "val") return splits.val;
  if (split == "test") return splits.test;
  if (split == "trainval") return joined(splits.train, splits.val);
  if (split == "train800") return head(splits.train, 800);
  if (split == "val200") return head(splits.val, 200);
  return joined(head(splits.train, 800), head(splits.val, 200));
}

// Where the folder of task folder/NAME would be.
fs::path unpacked_path(const TaskInfo& task, const fs::path& data_dir) {
  return data_dir / task.name.substr(task.name.find('/') + 1);
}

fs::path root_of(const TaskInfo& task, const fs::path& data_dir) {
  fs::path root = find_image_folder(task, data_dir);
  if (root.empty()) {
    cluster::throw_environment(
        "task '" + task.name + "': no folder " + unpacked_path(task, data_dir).string() +
        ", and no archive of that name (.zip, .tar, .tar.gz, .tgz, .tar.bz2, .tar.xz); name the "
        "folder above it with --data");
  }
  return root;
}

}  // namespace

fs::path find_image_folder(const TaskInfo& task, const fs::path& data_dir) {
  const fs::path folder = unpacked_path(task, data_dir);
  if (fs::is_directory(folder)) return folder;
  for (const char* ending : kArchives) {
    const fs::path archive = folder.string() + ending;
    if (fs::is_regular_file(archive)) return archive;
  }
  return {};
}

FolderSplits list_image_folder(const fs::path& root, const fs::path& cache) {
  if (fs::is_directory(root)) return split_folder(files_below(root), root.string());
  return split_folder(cache.empty() ? archive_names(root) : ImageArchive(root, cache).names(),
                      root.string());
}

FolderSplits list_image_folder(const TaskInfo& task, const DataFolder& data) {
  return list_image_folder(root_of(task, data.path), data.cache);
}

std::unique_ptr<Dataset> open_image_folder(std::string_view split, const DataFolder& data) {
  const fs::path& root = data.path;
  if (fs::is_directory(root)) {
    const FolderSplits splits = list_image_folder(root, data.cache);
    std::vector<ImageFile> files;
    for (const FolderImage& image : images_of(splits, split))
      files.push_back({root / image.path, image.path, image.label});
    return std::make_unique<FileDataset>(std::move(files), static_cast<int>(splits.classes.size()),
                                         decode_options(data));
  }
  if (data.cache.empty()) {
    cluster::throw_environment(root.string() +
                               ": an archive is read through a cache; name a folder with --cache");
  }
  const auto archive = std::make_shared<ImageArchive>(root, data.cache);
  const FolderSplits splits = split_folder(archive->names(), root.string());
  return std::make_unique<ArchiveDataset>(archive, images_of(splits, split),
                                          static_cast<int>(splits.classes.size()),
                                          decode_options(data));
}

std::unique_ptr<Dataset> open_image_folder(const TaskInfo& task, std::string_view split,
                                           const DataFolder& data) {
  DataFolder below = data;
  below.path = root_of(task, data.path);
  return open_image_folder(split, below);
}

}  // namespace marquee::datasets
