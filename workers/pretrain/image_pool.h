// All images of a data set in memory, with scenes drawn by code behind them, and augmented batches
// that depend on (seed, purpose, step) alone.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cluster/philox.h"
#include "datasets/image.h"
#include "workers/torch.h"

namespace marquee::workers {

struct ImageBatch {
  Tensor images;  // float32 [B, 3, S, S] in [0, 1]
  Tensor labels;  // int64 [B]
};

// Thread safe for reading.
class ImagePool {
 public:
  // `scenes`: how many (datasets/drawn_scenes.h); each kind of them is a class behind those of the
  // task.
  ImagePool(const std::string& task, const std::vector<std::string>& splits, std::int64_t scenes,
            const std::filesystem::path& data_dir);

  std::int64_t size() const { return static_cast<std::int64_t>(images_.size()); }
  int num_classes() const { return num_classes_; }
  const std::string& content_hash() const { return content_hash_; }

  // Images drawn with replacement; random square crop with a side of smallest_crop..1 of the short
  // side, random flip.
  ImageBatch random_batch(std::uint64_t seed, cluster::Purpose purpose, std::int64_t step,
                          std::int64_t batch, std::int64_t image_size, double smallest_crop) const;
  // Image `index` cropped and flipped by its own stream.
  datasets::Image random_view(std::int64_t index, cluster::PhiloxStream& stream,
                              std::int64_t image_size, double smallest_crop) const;
  int label(std::int64_t index) const { return labels_[static_cast<std::size_t>(index)]; }

 private:
  std::vector<datasets::Image> images_;
  std::vector<int> labels_;
  int num_classes_ = 0;
  std::string content_hash_;
};

}  // namespace marquee::workers
