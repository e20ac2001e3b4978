#include "workers/pretrain/reconstruction.h"

#include <array>
#include <cmath>
#include <functional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "analysis/metrics/frechet.h"
#include "datasets/dataset.h"
#include "datasets/encode_png.h"
#include "datasets/resize.h"
#include "workers/image_tensor.h"

namespace marquee::workers {
namespace {

constexpr std::size_t kBatch = 100;
constexpr std::int64_t kShown = 12;
constexpr int kThumbnail = 8;

Tensor one_colour(const Tensor& images) {
  return images.mean(std::vector<std::int64_t>{2, 3}, /*keepdim=*/true).expand_as(images);
}

Tensor thumbnails(const Tensor& images) {
  std::vector<datasets::Image> enlarged;
  for (const datasets::Image& image : to_images(images)) {
    enlarged.push_back(datasets::resize(datasets::resize(image, kThumbnail, kThumbnail),
                                        image.height, image.width));
  }
  return to_tensor(enlarged);
}

Tensor fixed_colours(const Tensor& images) {
  const Tensor steps = torch::tensor({7.0F, 7.0F, 3.0F}).view({1, 3, 1, 1});
  return (images * steps).round() / steps;
}

Tensor prepared(const datasets::Dataset& dataset, std::size_t first, std::size_t last,
                std::int64_t size) {
  std::vector<datasets::Image> batch;
  for (std::size_t i = first; i < last; ++i)
    batch.push_back(datasets::center_crop_resize(dataset.image(i), static_cast<int>(size)));
  return to_tensor(batch);
}

double squared_error(const Tensor& rebuilt, const Tensor& images) {
  return (rebuilt - images).to(torch::kFloat64).square().sum().item<double>();
}

double psnr_of(double squared_error, std::size_t images, std::int64_t size) {
  return -10.0 * std::log10(squared_error /
                            (static_cast<double>(images) * static_cast<double>(3 * size * size)));
}

}  // namespace

double reconstruction_psnr(const BaseTokenizer& tokenizer, const std::string& task,
                           const std::filesystem::path& data_dir, std::size_t most) {
  const torch::InferenceMode inference;
  const auto dataset = datasets::open_dataset(datasets::find_task(task), "test", data_dir);
  const std::size_t count = std::min(most, dataset->size());
  double error = 0;
  for (std::size_t first = 0; first < count; first += kBatch) {
    const Tensor images =
        prepared(*dataset, first, std::min(count, first + kBatch), tokenizer.image_size());
    error += squared_error(rounded_to_levels(tokenizer.decode(tokenizer.encode(images))), images);
  }
  return psnr_of(error, count, tokenizer.image_size());
}

ReconstructionReport measure_reconstruction(const BaseModel& base, const std::string& task,
                                            const std::filesystem::path& data_dir) {
  const torch::InferenceMode inference;
  std::set<std::int64_t> used;
  const auto through_tokens = [&](const Tensor& images) {
    const Tensor tokens = base.tokenizer.encode(images);
    const Tensor ids = std::get<0>(at::_unique(tokens));
    used.insert(ids.data_ptr<std::int64_t>(), ids.data_ptr<std::int64_t>() + ids.numel());
    return base.tokenizer.decode(tokens);
  };
  struct Way {
    const char* name;
    std::function<Tensor(const Tensor&)> rebuild;
    double squared_error = 0;
    std::vector<Tensor> features{};
    std::vector<datasets::Image> shown{};
  };
  std::array<Way, 4> ways{Way{"tokenizer", through_tokens}, Way{"one colour", one_colour},
                          Way{"thumbnail", thumbnails}, Way{"256 colours", fixed_colours}};

  const auto dataset = datasets::open_dataset(datasets::find_task(task), "test", data_dir);
  const auto features_of = [&](const Tensor& images) {
    return image_features(base.feature_config, base.features, images);
  };
  const std::int64_t size = base.tokenizer.image_size();
  std::vector<Tensor> real;
  std::vector<datasets::Image> shown;
  for (std::size_t first = 0; first < dataset->size(); first += kBatch) {
    const Tensor images =
        prepared(*dataset, first, std::min(dataset->size(), first + kBatch), size);
    real.push_back(features_of(images));
    append_images(images, kShown, shown);
    for (Way& way : ways) {
      const Tensor rebuilt = rounded_to_levels(way.rebuild(images));
      way.squared_error += squared_error(rebuilt, images);
      way.features.push_back(features_of(rebuilt));
      append_images(rebuilt, kShown, way.shown);
    }
  }

  ReconstructionReport report;
  report.task = task;
  report.images = static_cast<std::int64_t>(dataset->size());
  report.codes = base.tokenizer.codebook();
  report.codes_used = static_cast<std::int64_t>(used.size());
  const Tensor reference = at::cat(real);
  const auto columns = static_cast<int>(shown.size());
  for (const Way& way : ways) {
    report.ways.push_back({way.name, psnr_of(way.squared_error, dataset->size(), size),
                           analysis::frechet_distance(at::cat(way.features), reference)});
    shown.insert(shown.end(), way.shown.begin(), way.shown.end());
  }
  report.picture = datasets::make_grid(shown, columns);
  return report;
}

std::string to_text(const ReconstructionReport& report) {
  std::string text = fmt::format(
      "{} test images of {}, {} of {} codes in use\n{:<12}  {:>8}  {:>9}\n", report.images,
      report.task, report.codes_used, report.codes, "", "PSNR, dB", "fid_mini");
  for (const Reconstruction& way : report.ways)
    text += fmt::format("{:<12}  {:>8.2f}  {:>9.2f}\n", way.name, way.psnr, way.fid_mini);
  return text;
}

nlohmann::json to_json(const ReconstructionReport& report) {
  nlohmann::json ways;
  for (const Reconstruction& way : report.ways)
    ways[way.name] = {{"psnr_db", way.psnr}, {"fid_mini", way.fid_mini}};
  return {{"images", report.images}, {"codes_used", report.codes_used}, {"ways", ways}};
}

}  // namespace marquee::workers
