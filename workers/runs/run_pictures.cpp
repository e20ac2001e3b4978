#include "workers/runs/run_pictures.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/log.h"
#include "cluster/text.h"
#include "datasets/dataset.h"
#include "datasets/encode_png.h"
#include "datasets/resize.h"
#include "datasets/task.h"
#include "experiments/run_folder.h"

namespace marquee::workers {
namespace {

using datasets::Image;
using nlohmann::json;

constexpr int kColumns = 10;
constexpr int kWidest = 96;       // pixels of an image in a page's picture
constexpr int kTwoRowsUpTo = 64;  // pixels of an image
constexpr std::uint8_t kGrey = 128;

Image grey(int side) {
  const auto pixels = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  return {side, side, std::vector<std::uint8_t>(pixels * 3, kGrey)};
}

Image fitted(const Image& image, int side) {
  if (image.height == side && image.width == side) return image;
  return datasets::center_crop_resize(image, side);
}

// What cannot be read stays grey: a page without it is worth more than no result.
Image read_or_grey(const datasets::Dataset& dataset, std::size_t row, int side) {
  try {
    return fitted(dataset.image(row), side);
  } catch (const cluster::Error& error) {
    cluster::log_warning("pictures", error.what());
    return grey(side);
  }
}

// For each label the next row of its class, in the order of the split.
std::vector<std::optional<std::size_t>> rows_of_classes(const datasets::Dataset& dataset,
                                                        const std::vector<std::int64_t>& labels) {
  std::vector<std::optional<std::size_t>> rows(labels.size());
  std::size_t open = labels.size();
  for (std::size_t row = 0; row < dataset.size() && open > 0; ++row) {
    const int label = dataset.label(row);
    for (std::size_t place = 0; place < labels.size(); ++place) {
      if (rows[place] || labels[place] != label) continue;
      rows[place] = row;
      --open;
      break;
    }
  }
  return rows;
}

void write_row(const std::filesystem::path& file, const std::vector<Image>& images,
               const PictureLayout& layout) {
  datasets::write_png(file, datasets::make_grid(images, layout.columns));
}

}  // namespace

PictureLayout picture_layout(int classes, std::int64_t image_size, std::int64_t images) {
  PictureLayout layout;
  layout.side = static_cast<int>(std::min<std::int64_t>(image_size, kWidest));
  layout.columns = classes < kColumns ? classes * (kColumns / classes) : kColumns;
  const int rows = image_size <= kTwoRowsUpTo ? 2 : 1;
  layout.count = std::min<std::int64_t>(images, std::int64_t{rows} * layout.columns);
  return layout;
}

std::vector<NearestImage> nearest_images(const Tensor& generated, const Tensor& training) {
  // A training set may have as many features as memory bears once, not twice in float64.
  constexpr std::int64_t kBlock = 1024;
  const Tensor made = generated.to(torch::kFloat64);
  std::vector<NearestImage> nearest(static_cast<std::size_t>(made.size(0)),
                                    {0, std::numeric_limits<double>::infinity()});
  for (std::int64_t first = 0; first < training.size(0); first += kBlock) {
    const Tensor block =
        training.narrow(0, first, std::min(kBlock, training.size(0) - first)).to(torch::kFloat64);
    for (std::size_t row = 0; row < nearest.size(); ++row) {
      const Tensor squares = (block - made[static_cast<std::int64_t>(row)]).square().sum(1);
      const auto place = squares.argmin().item<std::int64_t>();
      const double distance = squares[place].sqrt().item<double>();
      if (distance < nearest[row].distance)
        nearest[row] = {static_cast<std::size_t>(first + place), distance};
    }
  }
  return nearest;
}

void write_pictures(const std::filesystem::path& folder, const RunPictures& pictures, int classes) {
  if (pictures.images.empty()) return;
  const experiments::RunConfig& run = pictures.run;
  const datasets::TaskInfo& task = datasets::find_task(run.task);
  const PictureLayout layout = picture_layout(classes, pictures.images.front().height,
                                              static_cast<std::int64_t>(pictures.images.size()));
  const auto count = static_cast<std::size_t>(layout.count);
  std::vector<std::int64_t> labels;
  for (std::int64_t place = 0; place < layout.count; ++place)
    labels.push_back(pictures.labels[place].item<std::int64_t>());
  json told{{"columns", layout.columns}, {"side", layout.side}, {"labels", labels}};

  std::vector<Image> shown;
  for (std::size_t place = 0; place < count; ++place)
    shown.push_back(fitted(pictures.images[place], layout.side));
  write_row(folder / "preview.png", shown, layout);

  if (!experiments::is_oracle(run)) {
    const auto dataset = datasets::open_dataset(task, run.reference, pictures.data);
    shown.clear();
    for (const auto& row : rows_of_classes(*dataset, labels))
      shown.push_back(row ? read_or_grey(*dataset, *row, layout.side) : grey(layout.side));
    write_row(folder / "real.png", shown, layout);
    told["real_split"] = run.reference;
  }
  const std::vector<std::string> names = datasets::class_names(task, pictures.data);
  if (names.size() == static_cast<std::size_t>(classes)) {
    json chosen = json::array();
    for (const std::int64_t label : labels)
      chosen.push_back(label < 0 ? "" : cluster::printable(names[static_cast<std::size_t>(label)]));
    told["classes"] = chosen;
  }
  if (!pictures.nearest.empty()) {
    const auto dataset = datasets::open_dataset(task, pictures.training.split, pictures.data);
    json neighbours = json::array();
    shown.clear();
    for (std::size_t place = 0; place < count; ++place) {
      const NearestImage& nearest = pictures.nearest.at(place);
      shown.push_back(
          read_or_grey(*dataset, pictures.training.rows.at(nearest.place), layout.side));
      neighbours.push_back(
          {{"id", cluster::printable(pictures.training.names.at(nearest.place))},
           {"label", pictures.training.labels[static_cast<std::int64_t>(nearest.place)]
                         .item<std::int64_t>()},
           {"distance", nearest.distance}});
    }
    write_row(folder / "neighbours.png", shown, layout);
    told["neighbours"] = neighbours;
    told["training_split"] = pictures.training.split;
  }
  if (!pictures.film.empty()) {
    std::vector<Image> frames;
    for (const Image& frame : pictures.film) frames.push_back(fitted(frame, layout.side));
    datasets::write_png(folder / "film.png", datasets::make_grid(frames, pictures.film_columns));
    told["film_columns"] = pictures.film_columns;
  }
  cluster::write_file_durably(folder / "pictures.json",
                              told.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
}

}  // namespace marquee::workers
