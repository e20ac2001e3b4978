#include "datasets/dataset_hash.h"

#include "cluster/durable_file.h"
#include "cluster/sha256.h"
#include "datasets/dataset.h"
#include "datasets/drawn.h"
#include "datasets/image_folder.h"
#include "datasets/tfds.h"
#include "datasets/vtab1k.h"

namespace marquee::datasets {
namespace {

// The lists with their labels, and the size of every image that they name.
std::string vtab1k_hash(const TaskInfo& task, const std::filesystem::path& data_dir) {
  constexpr std::uintmax_t kMaxBytes = std::uintmax_t{64} << 20;
  cluster::Sha256 hash;
  hash.update(std::string_view("vtab1k\n"));
  for (const std::filesystem::path& list : vtab1k_lists(task, data_dir)) {
    hash.update(list.filename().string() + "\n");
    hash.update(cluster::sha256_hex(cluster::read_file(list, kMaxBytes)));
    const auto dataset = open_vtab1k(task, list.stem().string(), data_dir);
    for (std::size_t i = 0; i < dataset->size(); ++i) {
      std::error_code error;
      const std::uintmax_t size =
          std::filesystem::file_size(data_dir / task.vtab1k_folder / dataset->id(i), error);
      hash.update(error ? "\nmissing" : "\n" + std::to_string(size));
    }
  }
  return hash.hex();
}

// Every split's images in order, with their labels and sizes; an archive by all its bytes.
std::string image_folder_hash(const TaskInfo& task, const FolderSplits& splits,
                              const std::filesystem::path& data_dir) {
  cluster::Sha256 hash;
  hash.update(std::string_view("images\n"));
  for (const auto* images : {&splits.train, &splits.val, &splits.test}) {
    hash.update(std::string_view("\nsplit"));
    for (const FolderImage& image : *images)
      hash.update("\n" + image.path + " " + std::to_string(image.label));
  }
  const std::filesystem::path root = find_image_folder(task, data_dir);
  if (!std::filesystem::is_directory(root)) {
    hash.update("\n" + cluster::sha256_file(root));
    return hash.hex();
  }
  for (const auto* images : {&splits.train, &splits.val, &splits.test}) {
    for (const FolderImage& image : *images) {
      std::error_code error;
      const std::uintmax_t size = std::filesystem::file_size(root / image.path, error);
      hash.update(error ? "\nmissing" : "\n" + std::to_string(size));
    }
  }
  return hash.hex();
}

}  // namespace

std::string dataset_content_hash(const TaskInfo& task, const std::filesystem::path& data_dir) {
  if (task.group == TaskGroup::drawn) {
    return cluster::sha256_hex("drawn " + task.name + " version " + std::to_string(kDrawnVersion));
  }
  if (task.group == TaskGroup::own)
    return image_folder_hash(task, list_image_folder(task, {data_dir}), data_dir);
  if (layout_of(task, data_dir) == DataLayout::vtab1k) return vtab1k_hash(task, data_dir);
  const TfdsFolder folder = open_tfds_folder(task, data_dir);
  cluster::Sha256 hash;
  constexpr std::uintmax_t kMaxBytes = std::uintmax_t{16} << 20;
  for (const char* name : {"dataset_info.json", "features.json"}) {
    hash.update(std::string_view(name));
    const std::filesystem::path file = folder.path / name;
    if (std::filesystem::exists(file))
      hash.update(cluster::sha256_hex(cluster::read_file(file, kMaxBytes)));
  }
  for (const auto& [name, split] : folder.splits) {
    for (const std::filesystem::path& file : split.files) {
      std::error_code error;
      const std::uintmax_t size = std::filesystem::file_size(file, error);
      hash.update("\n" + file.filename().string() + " " +
                  (error ? "missing" : std::to_string(size)));
    }
  }
  return hash.hex();
}

DataSummary summarise_data(const TaskInfo& task, const std::filesystem::path& data_dir) {
  DataSummary data;
  if (task.group == TaskGroup::own) {
    const FolderSplits splits = list_image_folder(task, {data_dir});
    data.hash = image_folder_hash(task, splits, data_dir);
    data.num_classes = static_cast<int>(splits.classes.size());
    return data;
  }
  data.hash = dataset_content_hash(task, data_dir);
  data.num_classes = task.num_classes;
  data.only_thousand = layout_of(task, data_dir) == DataLayout::vtab1k;
  return data;
}

}  // namespace marquee::datasets
