#include "workers/pretrain/image_pool.h"

#include <cmath>

#include "cluster/sha256.h"
#include "datasets/dataset.h"
#include "datasets/dataset_hash.h"
#include "datasets/drawn_scenes.h"
#include "datasets/resize.h"
#include "workers/image_tensor.h"

namespace marquee::workers {

ImagePool::ImagePool(const std::string& task_name, const std::vector<std::string>& splits,
                     std::int64_t scenes, const std::filesystem::path& data_dir) {
  const datasets::TaskInfo& task = datasets::find_task(task_name);
  num_classes_ = task.num_classes;
  content_hash_ = datasets::dataset_content_hash(task, data_dir);
  for (const std::string& split : splits) {
    const auto dataset = datasets::open_dataset(task, split, data_dir);
    for (std::size_t i = 0; i < dataset->size(); ++i) {
      if (dataset->label(i) < 0) continue;
      images_.push_back(dataset->image(i));
      labels_.push_back(dataset->label(i));
    }
  }
  if (scenes == 0) return;
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(scenes); ++i) {
    images_.push_back(datasets::drawn_scene(i));
    labels_.push_back(num_classes_ + datasets::scene_kind(i));
  }
  num_classes_ += datasets::kSceneKinds;
  content_hash_ = cluster::sha256_hex(content_hash_ + "; drawn scenes " + std::to_string(scenes) +
                                      ", version " + std::to_string(datasets::kScenesVersion));
}

datasets::Image ImagePool::random_view(std::int64_t index, cluster::PhiloxStream& stream,
                                       std::int64_t image_size, double smallest_crop) const {
  const datasets::Image& image = images_[static_cast<std::size_t>(index)];
  const int shorter = std::min(image.height, image.width);
  const double share = smallest_crop + (1.0 - smallest_crop) * stream.uniform_double();
  const int side = std::max(1, static_cast<int>(std::lround(share * shorter)));
  const int top =
      static_cast<int>(stream.below(static_cast<std::uint64_t>(image.height - side + 1)));
  const int left =
      static_cast<int>(stream.below(static_cast<std::uint64_t>(image.width - side + 1)));
  const bool flip = stream.below(2) == 1;
  const auto size = static_cast<int>(image_size);
  const datasets::Image view =
      datasets::resize(datasets::crop(image, top, left, side, side), size, size);
  return flip ? datasets::flip_horizontal(view) : view;
}

ImageBatch ImagePool::random_batch(std::uint64_t seed, cluster::Purpose purpose, std::int64_t step,
                                   std::int64_t batch, std::int64_t image_size,
                                   double smallest_crop) const {
  // Step 0 of the purpose belongs to the initial weights.
  const auto at = static_cast<std::uint64_t>(step) + 1;
  cluster::PhiloxStream choice(seed, purpose, at, 0);
  std::vector<datasets::Image> views;
  ImageBatch result;
  result.labels = torch::empty({batch}, torch::kInt64);
  for (std::int64_t i = 0; i < batch; ++i) {
    const auto index = static_cast<std::int64_t>(choice.below(static_cast<std::uint64_t>(size())));
    cluster::PhiloxStream stream(seed, purpose, at, static_cast<std::uint64_t>(i) + 1);
    views.push_back(random_view(index, stream, image_size, smallest_crop));
    result.labels[i] = label(index);
  }
  result.images = to_tensor(views);
  return result;
}

}  // namespace marquee::workers
