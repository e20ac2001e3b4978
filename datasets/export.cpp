#include "datasets/export.h"

#include <fstream>
#include <memory>
#include <set>

#include <fmt/format.h>

#include "cluster/error.h"
#include "cluster/staged_folder.h"
#include "datasets/encode_jpeg.h"
#include "datasets/encode_png.h"
#include "datasets/scratch_cache.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& file, std::string_view bytes) {
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) cluster::throw_environment(file.string() + ": cannot be written (disk full?)");
}

// The splits that are written; the shards are read once, not for every one.
class OpenSplits {
 public:
  OpenSplits(const TaskInfo& task, const std::vector<std::string>& names, DataFolder data,
             const DataProgress& progress) {
    if (data.cache.empty()) data.cache = scratch_.path();
    for (const std::string& name : names) {
      progress(0, 0);
      datasets_.push_back(open_dataset(task, name, data));
      size_ += datasets_.back()->size();
    }
  }
  const Dataset& split(std::size_t number) const { return *datasets_[number]; }
  std::size_t size() const { return size_; }  // examples of all

 private:
  ScratchCache scratch_;
  std::vector<std::unique_ptr<Dataset>> datasets_;
  std::size_t size_ = 0;
};

std::string_view ending_of(std::string_view bytes) {
  if (bytes.starts_with("\xff\xd8")) return "jpg";
  if (bytes.starts_with("GIF8")) return "gif";
  if (bytes.starts_with("BM")) return "bmp";
  return bytes.size() > 12 && bytes.substr(8, 4) == "WEBP" ? "webp" : "png";
}

// Folder names of the classes: their names where all are fit for one, else their numbers.
std::vector<std::string> class_folders(const TaskInfo& task, const DataFolder& data, int classes) {
  std::vector<std::string> names = class_names(task, data);
  const std::set<std::string> different(names.begin(), names.end());
  bool fit =
      different.size() == static_cast<std::size_t>(classes) && different.size() == names.size();
  for (const std::string& name : names)
    fit = fit && !name.empty() && name.front() != '.' && name.find('/') == std::string::npos;
  if (fit) return names;
  names.clear();
  for (int label = 0; label < classes; ++label) names.push_back(fmt::format("class_{:03}", label));
  return names;
}

// For stored pixels that are no grey levels: other readers know nothing of the task's scale.
std::string to_png(const Image& image) {
  const std::vector<std::byte> png = encode_png(image);
  return {reinterpret_cast<const char*>(png.data()), png.size()};
}

}  // namespace

std::size_t export_vtab1k(const TaskInfo& task, const DataFolder& data, const fs::path& to,
                          const DataProgress& progress) {
  const std::string name = task.vtab1k_folder;
  if (name.empty()) {
    cluster::throw_usage("task '" + task.name + "' is none of the 19: it has no VTAB-1k folder");
  }
  const std::vector<std::string> splits{"train800", "val200", "train800val200", "test"};
  std::size_t done = 0, left_out = 0;
  cluster::StagedFolder folder(to / name);
  const OpenSplits open(task, splits, data, progress);
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const Dataset& dataset = open.split(s);
    fs::create_directories(folder.path() / "images" / splits[s]);
    std::string lines;
    std::size_t number = 0;
    for (const std::size_t row : dataset.iteration_order()) {
      progress(done++, open.size());
      if (dataset.label(row) < 0) {
        ++left_out;
        continue;
      }
      const std::string file = fmt::format("images/{}/{:06}.jpg", splits[s], number++);
      write(folder.path() / file, encode_jpeg(dataset.image(row)));
      lines += fmt::format("{} {}\n", file, dataset.label(row));
    }
    write(folder.path() / (splits[s] + ".txt"), lines);
  }
  progress(open.size(), open.size());
  folder.commit();
  return left_out;
}

std::size_t export_image_folder(const TaskInfo& task, const std::vector<std::string>& splits,
                                const DataFolder& data, const fs::path& to,
                                const DataProgress& progress) {
  std::size_t done = 0, left_out = 0;
  cluster::StagedFolder folder(to);
  const OpenSplits open(task, splits, data, progress);
  const std::vector<std::string> classes = class_folders(task, data, open.split(0).num_classes());
  for (std::size_t s = 0; s < splits.size(); ++s) {
    for (const std::string& name : classes)
      fs::create_directories(folder.path() / splits[s] / name);
    const Dataset& dataset = open.split(s);
    for (std::size_t row = 0; row < dataset.size(); ++row) {
      progress(done++, open.size());
      const int label = dataset.label(row);
      if (label < 0) {
        ++left_out;
        continue;
      }
      const std::string bytes =
          task.pixel_scale == 1 ? dataset.image_bytes(row) : to_png(dataset.image(row));
      write(folder.path() / splits[s] / classes[static_cast<std::size_t>(label)] /
                fmt::format("{:06}.{}", row, ending_of(bytes)),
            bytes);
    }
  }
  progress(open.size(), open.size());
  folder.commit();
  return left_out;
}

}  // namespace marquee::datasets
