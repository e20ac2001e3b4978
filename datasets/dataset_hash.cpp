#include "datasets/dataset_hash.h"

#include "cluster/durable_file.h"
#include "cluster/sha256.h"
#include "datasets/drawn.h"
#include "datasets/tfds.h"

namespace marquee::datasets {

std::string dataset_content_hash(const TaskInfo& task, const std::filesystem::path& data_dir) {
  if (task.group == TaskGroup::drawn) {
    return cluster::sha256_hex("drawn " + task.name + " version " + std::to_string(kDrawnVersion));
  }
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

}  // namespace marquee::datasets
