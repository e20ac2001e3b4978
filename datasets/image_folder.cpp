#include "datasets/image_folder.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "cluster/error.h"
#include "cluster/sha256.h"
#include "datasets/decode.h"
#include "datasets/file_dataset.h"
#include "datasets/image_archive.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = 10'000'000;
constexpr const char* kArchives[] = {".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"};

bool is_image_name(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string ending(path.substr(dot + 1));
  for (char& letter : ending) letter = static_cast<char>(std::tolower(letter));
  static const std::set<std::string, std::less<>> kEndings{"jpg",  "jpeg", "png",
                                                           "webp", "gif",  "bmp"};
  return kEndings.contains(ending);
}

// Hidden files, and what macOS puts into archives.
bool is_hidden(std::string_view path) {
  return path.starts_with(".") || path.find("/.") != std::string_view::npos ||
         path.starts_with("__MACOSX/");
}

// "a/b/c" -> {"a", "b/c"}; {"", "c"} for a file at the top.
std::pair<std::string, std::string> first_part(const std::string& path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

void sort_by_hash(std::vector<FolderImage>& images) {
  std::vector<std::pair<std::string, FolderImage>> keyed;
  for (FolderImage& image : images)
    keyed.emplace_back(cluster::sha256_hex(image.path), std::move(image));
  std::sort(keyed.begin(), keyed.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  images.clear();
  for (auto& [hash, image] : keyed) images.push_back(std::move(image));
}

// Moves the part of each class that begins behind `before` percent and is `share` percent long.
std::vector<FolderImage> part_of_classes(const std::vector<FolderImage>& sorted,
                                         std::size_t classes, std::size_t before,
                                         std::size_t share) {
  std::vector<std::size_t> sizes(classes, 0), seen(classes, 0);
  for (const FolderImage& image : sorted) ++sizes[static_cast<std::size_t>(image.label)];
  std::vector<FolderImage> part;
  for (const FolderImage& image : sorted) {
    const auto label = static_cast<std::size_t>(image.label);
    const std::size_t place = seen[label]++;
    const std::size_t from = sizes[label] * before / 100;
    const std::size_t to = before + share == 100 ? sizes[label] : from + sizes[label] * share / 100;
    if (place >= from && place < to) part.push_back(image);
  }
  return part;
}

// Classes from the first part of paths; files at the top only count where there is no class.
class Classes {
 public:
  explicit Classes(const std::vector<std::string>& paths) {
    std::set<std::string> names;
    for (const std::string& path : paths) {
      const auto [first, rest] = first_part(path);
      if (!first.empty()) names.insert(first);
    }
    names_.assign(names.begin(), names.end());
    labelled_ = !names_.empty();
    if (!labelled_) names_ = {"all"};
  }
  const std::vector<std::string>& names() const { return names_; }
  bool labelled() const { return labelled_; }
  // -1: beside the classes.
  int label_of(const std::string& path) const {
    if (!labelled_) return 0;
    const auto found = std::lower_bound(names_.begin(), names_.end(), first_part(path).first);
    const bool known = found != names_.end() && *found == first_part(path).first;
    return known ? static_cast<int>(found - names_.begin()) : -1;
  }

 private:
  std::vector<std::string> names_;
  bool labelled_ = true;
};

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

}  // namespace

FolderSplits split_folder(const std::vector<std::string>& paths, const std::string& root) {
  FolderSplits result;
  std::vector<std::string> images;
  std::set<std::string> tops;
  for (const std::string& path : paths) {
    if (is_hidden(path)) continue;
    if (!is_image_name(path)) {
      ++result.passed_over;
      continue;
    }
    images.push_back(path);
    tops.insert(first_part(path).first);
  }
  if (images.empty()) cluster::throw_environment(root + ": holds no images");

  const bool given = tops.contains("train");
  if (given && !tops.contains("test"))
    cluster::throw_environment(root + ": has a folder train but none named test");
  // Where the user split, what counts lies below the folder of the split.
  std::map<std::string, std::vector<std::string>> parts;
  if (given) {
    for (const std::string& path : images) {
      const auto [top, rest] = first_part(path);
      if (top == "train" || top == "test" || top == "val" || top == "validation") {
        parts[top == "validation" ? "val" : top].push_back(rest);
      } else {
        ++result.passed_over;
      }
    }
  } else {
    parts[""] = images;
  }
  std::vector<std::string> all;
  for (const auto& [top, below] : parts) all.insert(all.end(), below.begin(), below.end());
  const Classes classes(all);
  result.classes = classes.names();
  result.labelled = classes.labelled();

  const auto sorted = [&](const std::string& part, const std::string& folder) {
    std::vector<FolderImage> chosen;
    for (const std::string& path : parts[part]) {
      const int label = classes.label_of(path);
      if (label < 0) {
        ++result.passed_over;
      } else {
        chosen.push_back({folder + path, label});
      }
    }
    sort_by_hash(chosen);
    return chosen;
  };
  const std::size_t count = result.classes.size();
  if (!given) {
    const std::vector<FolderImage> whole = sorted("", "");
    result.train = part_of_classes(whole, count, 0, 80);
    result.val = part_of_classes(whole, count, 80, 10);
    result.test = part_of_classes(whole, count, 90, 10);
    return result;
  }
  result.test = sorted("test", "test/");
  const std::vector<FolderImage> train = sorted("train", "train/");
  if (parts.contains("val")) {
    result.train = train;
    result.val = sorted("val", tops.contains("val") ? "val/" : "validation/");
  } else {
    result.train = part_of_classes(train, count, 0, 90);
    result.val = part_of_classes(train, count, 90, 10);
  }
  return result;
}

fs::path find_image_folder(const TaskInfo& task, const fs::path& data_dir) {
  const fs::path folder = data_dir / task.name.substr(task.name.find('/') + 1);
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
  const fs::path root = find_image_folder(task, data.path);
  if (root.empty()) {
    cluster::throw_environment(
        "task '" + task.name + "': no folder " +
        (data.path / task.name.substr(task.name.find('/') + 1)).string() +
        ", and no archive of that name (.zip, .tar, .tar.gz, .tgz, .tar.bz2, .tar.xz); name the "
        "folder above it with --data");
  }
  return list_image_folder(root, data.cache);
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
  list_image_folder(task, {data.path, {}});  // says where it looked
  DataFolder below = data;
  below.path = find_image_folder(task, data.path);
  return open_image_folder(split, below);
}

}  // namespace marquee::datasets
