#include "datasets/folder_splits.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string_view>

#include "cluster/error.h"
#include "cluster/sha256.h"

namespace marquee::datasets {
namespace {

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

// The part of each class that begins behind `before` percent and is `share` percent long.
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
    const std::size_t to = sizes[label] * (before + share) / 100;
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

}  // namespace

FolderSplits split_folder(const std::vector<std::string>& paths, const std::string& root) {
  FolderSplits result;
  std::vector<std::string> images;
  std::set<std::string> tops;
  for (const std::string& path : paths) {
    if (is_hidden(path) || !is_image_name(path)) continue;
    images.push_back(path);
    tops.insert(first_part(path).first);
  }
  if (images.empty()) cluster::throw_environment(root + ": holds no images");

  const bool given = tops.contains("train");
  if (given && !tops.contains("test"))
    cluster::throw_environment(root + ": has a folder train but none named test");
  const std::set<std::string> beside_train{"test", "val", "validation"};
  if (!given && std::includes(beside_train.begin(), beside_train.end(), tops.begin(), tops.end()))
    cluster::throw_environment(root + ": has a folder " + *tops.begin() +
                               " but none named train; a split of yours has both train and test");
  // Where the user split, what counts lies below the folder of the split.
  std::map<std::string, std::vector<std::string>> parts;
  if (given) {
    for (const std::string& path : images) {
      const auto [top, rest] = first_part(path);
      if (top == "train" || beside_train.contains(top))
        parts[top == "validation" ? "val" : top].push_back(rest);
    }
  } else {
    parts[""] = images;
  }
  std::vector<std::string> all;
  for (const auto& [top, below] : parts) all.insert(all.end(), below.begin(), below.end());
  const Classes classes(all);
  result.classes = classes.names();

  const auto sorted = [&](const std::string& part, const std::string& folder) {
    std::vector<FolderImage> chosen;
    for (const std::string& path : parts[part]) {
      const int label = classes.label_of(path);
      if (label >= 0) chosen.push_back({folder + path, label});
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

}  // namespace marquee::datasets
