// The small pictures of a run that pages show beside those of other runs: what it has made, real
// images of the same classes in the same places, the nearest training images, and how images became
// from step to step. Pages decode nothing, so the trainer writes each as PNG.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "datasets/data_folder.h"
#include "datasets/image.h"
#include "experiments/run_config.h"
#include "workers/torch.h"
#include "workers/tuning/token_set.h"

namespace marquee::workers {

// Which of a run's images stand where: rows of `columns`, classes below each other where there are
// at most ten of them. Two rows; one of images wider than 64 pixels.
struct PictureLayout {
  std::int64_t count = 0;
  int columns = 1;
  int side = 0;  // pixels of one image, at most 96

  bool operator==(const PictureLayout&) const = default;
};
PictureLayout picture_layout(int classes, std::int64_t image_size, std::int64_t images);

struct NearestImage {
  std::size_t place = 0;  // in TokenSet::rows
  double distance = 0;    // Euclidean, between features
};
// For each row of `generated` [n, d] the nearest of `training` [t, d]; of equals the first.
std::vector<NearestImage> nearest_images(const Tensor& generated, const Tensor& training);

struct RunPictures {
  const experiments::RunConfig& run;
  const datasets::DataFolder& data;
  const std::vector<datasets::Image>& images;  // the run's first
  Tensor labels;                               // int64 [n], of all its images
  const TokenSet& training;           // what it was tuned on; without rows where it was not
  std::vector<NearestImage> nearest;  // of the first images; empty: none was tuned on
  std::vector<datasets::Image> film;  // rows of `film_columns`
  int film_columns = 0;
};

// preview.png, real.png (of the reference split; not for oracle rows, which are real themselves),
// neighbours.png and film.png into the attempt's folder, as far as there is something to show, and
// pictures.json: how they are laid out, labels and names of classes, which image each neighbour is.
// An image that cannot be read, or that no class has, is left grey.
void write_pictures(const std::filesystem::path& folder, const RunPictures& pictures, int classes);

}  // namespace marquee::workers
