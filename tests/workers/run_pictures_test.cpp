// The small pictures that pages show: what stands in which place.
#include "workers/runs/run_pictures.h"

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "datasets/dataset.h"
#include "datasets/decode.h"
#include "datasets/resize.h"
#include "datasets/task.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::workers {
namespace {

using datasets::Image;

constexpr int kPadding = 2;

Image read_png(const std::filesystem::path& file) {
  const std::string bytes = cluster::read_file(file, 1 << 20);
  return datasets::decode_image(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

// The image in a place of a grid.
Image at_place(const Image& grid, std::size_t place, int columns, int side) {
  const auto column = static_cast<int>(place) % columns, row = static_cast<int>(place) / columns;
  return datasets::crop(grid, kPadding + row * (side + kPadding),
                        kPadding + column * (side + kPadding), side, side);
}

Image plain(int side, std::uint8_t level) {
  return {side, side,
          std::vector<std::uint8_t>(
              static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * 3, level)};
}

class Pictures : public testing::Test {
 protected:
  static constexpr int kSide = 32, kClasses = 16;

  Pictures() {
    run_.task = "drawn/dsprites_location";
    run_.method = "prompt";
    run_.reference = "test";
    for (int i = 0; i < 64; ++i) {
      images_.push_back(plain(kSide, static_cast<std::uint8_t>(i)));
      labels_.push_back(i % kClasses);
    }
  }
  RunPictures pictures(const std::vector<NearestImage>& nearest = {}) const {
    return {run_, {}, images_, torch::tensor(labels_), training_, nearest, {}, 0};
  }
  nlohmann::json told() const {
    return nlohmann::json::parse(cluster::read_file(folder_.path() / "pictures.json", 1 << 20));
  }

  cluster::TemporaryFolder folder_;
  experiments::RunConfig run_;
  std::vector<Image> images_;
  std::vector<std::int64_t> labels_;
  TokenSet training_;
};

TEST_F(Pictures, ClassesStandBelowEachOther) {
  EXPECT_EQ(picture_layout(10, 32, 64), (PictureLayout{20, 10, 32}));
  EXPECT_EQ(picture_layout(2, 64, 64), (PictureLayout{20, 10, 64}));
  EXPECT_EQ(picture_layout(7, 64, 64), (PictureLayout{14, 7, 64}));
  EXPECT_EQ(picture_layout(4, 32, 64), (PictureLayout{16, 8, 32}));
  EXPECT_EQ(picture_layout(397, 256, 64), (PictureLayout{10, 10, 96}));
  EXPECT_EQ(picture_layout(10, 32, 3), (PictureLayout{3, 10, 32}));
}

TEST_F(Pictures, NearestIsByEuclideanDistanceAndOfEqualsTheFirst) {
  const Tensor training = torch::tensor({{0.F, 0.F}, {3.F, 4.F}, {3.F, 4.F}, {9.F, 9.F}});
  const auto nearest =
      nearest_images(torch::tensor({{3.F, 3.F}, {0.F, 0.F}, {8.F, 9.F}}), training);
  ASSERT_EQ(nearest.size(), 3U);
  EXPECT_EQ(nearest[0].place, 1U);
  EXPECT_DOUBLE_EQ(nearest[0].distance, 1.0);
  EXPECT_EQ(nearest[1].place, 0U);
  EXPECT_DOUBLE_EQ(nearest[1].distance, 0.0);
  EXPECT_EQ(nearest[2].place, 3U);
}

TEST_F(Pictures, NearestIsTheSameHoweverManyThereAre) {
  Tensor training = torch::arange(3000, torch::kFloat32).unsqueeze(1);
  training[2900][0] = 17.0F;  // as the row of that place, in another block
  const auto nearest = nearest_images(torch::tensor({{17.0F}, {2500.2F}, {5000.0F}}), training);
  EXPECT_EQ(nearest[0].place, 17U);
  EXPECT_EQ(nearest[1].place, 2500U);
  EXPECT_NEAR(nearest[1].distance, 0.2, 1e-3);
  EXPECT_EQ(nearest[2].place, 2999U);
}

TEST_F(Pictures, ShowTheRunBesideRealImagesOfTheSameClasses) {
  write_pictures(folder_.path(), pictures(), kClasses);
  const auto content = told();
  const int columns = content.at("columns");
  EXPECT_EQ(columns, 10);
  const Image preview = read_png(folder_.path() / "preview.png"),
              real = read_png(folder_.path() / "real.png");
  EXPECT_EQ(preview.height, real.height);
  const auto dataset = datasets::open_dataset(datasets::find_task(run_.task), run_.reference, {});
  std::vector<std::size_t> seen;  // rows of real images, none twice
  for (std::size_t place = 0; place < 20; ++place) {
    EXPECT_EQ(at_place(preview, place, columns, kSide), images_[place]);
    const int label = content.at("labels").at(place);
    EXPECT_EQ(label, labels_[place]);
    const Image shown = at_place(real, place, columns, kSide);
    bool found = false;
    for (std::size_t row = 0; row < dataset->size() && !found; ++row) {
      if (dataset->label(row) != label || std::find(seen.begin(), seen.end(), row) != seen.end())
        continue;
      found = datasets::center_crop_resize(dataset->image(row), kSide) == shown;
      EXPECT_TRUE(found) << "place " << place << " is not the next of its class";
      seen.push_back(row);
      break;
    }
  }
  EXPECT_EQ(seen.size(), 20U);
  EXPECT_FALSE(content.contains("neighbours"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "neighbours.png"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "film.png"));
}

TEST_F(Pictures, ShowTheNearestTrainingImageBelowEach) {
  training_.split = "train";
  training_.rows = {5, 40, 77};
  training_.names = {"5", "forty\n", "77"};
  const auto dataset = datasets::open_dataset(datasets::find_task(run_.task), "train", {});
  std::vector<std::int64_t> labels;
  for (const std::size_t row : training_.rows) labels.push_back(dataset->label(row));
  training_.labels = torch::tensor(labels);
  std::vector<NearestImage> nearest(64, NearestImage{1, 0.5});
  nearest[3] = {2, 0.25};
  write_pictures(folder_.path(), pictures(nearest), kClasses);
  const auto content = told();
  const Image neighbours = read_png(folder_.path() / "neighbours.png");
  const auto of_row = [&](std::size_t row) {
    return datasets::center_crop_resize(dataset->image(row), kSide);
  };
  EXPECT_EQ(at_place(neighbours, 0, content.at("columns"), kSide), of_row(40));
  EXPECT_EQ(at_place(neighbours, 3, content.at("columns"), kSide), of_row(77));
  EXPECT_EQ(content.at("neighbours").at(0).at("id"), "forty\\n");
  EXPECT_EQ(content.at("neighbours").at(3).at("label"), labels[2]);
  EXPECT_EQ(content.at("neighbours").at(3).at("distance"), 0.25);
  EXPECT_EQ(content.at("training_split"), "train");
}

TEST_F(Pictures, OfRealImagesStandAlone) {
  run_.method = "oracle_real";
  write_pictures(folder_.path(), pictures(), kClasses);
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "preview.png"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "real.png"));
}

TEST_F(Pictures, AClassWithoutImagesIsGrey) {
  labels_[2] = 1000;
  write_pictures(folder_.path(), pictures(), kClasses);
  EXPECT_EQ(at_place(read_png(folder_.path() / "real.png"), 2, told().at("columns"), kSide),
            plain(kSide, 128));
}

}  // namespace
}  // namespace marquee::workers
