// Whether the shipped feature network is a sane ruler: fid_mini between EuroSAT's training images,
// made worse step by step, and all its test images. Needs the shared data and the shipped base;
// else skipped.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <span>

#include "analysis/metrics/frechet.h"
#include "datasets/dataset.h"
#include "datasets/decode.h"
#include "datasets/encode_jpeg.h"
#include "datasets/resize.h"
#include "tests/datasets/shared_data.h"
#include "workers/base_model.h"
#include "workers/image_tensor.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

using datasets::Image;

// Of the training set; twice as many of the test set. A tenth of EuroSAT under scripts/soak.
const std::size_t kImages = std::getenv("MARQUEE_SOAK") != nullptr ? 2700 : 900;

class Ruler : public testing::Test {
 protected:
  struct Other {
    std::string name;
    std::function<Tensor(const Tensor&)> features;
    Tensor reference;
  };

  static void SetUpTestSuite() {
    const auto data = datasets::shared_data() / "tfds";
    const char* named = std::getenv("MARQUEE_ASSETS");
    const std::filesystem::path assets =
        named != nullptr ? named : std::filesystem::path(MARQUEE_SOURCE_DIR) / "assets";
    if (!std::filesystem::exists(data / "eurosat") ||
        !std::filesystem::exists(assets / "mini" / "manifest.json"))
      return;
    at::set_num_threads(1);
    const torch::InferenceMode inference;
    base_ = new BaseModel(load_base(experiments::load_base_manifest(assets, "mini")));
    random_ = new ParameterMap(init_features(base_->feature_config, 7));
    const auto& task = datasets::find_task("eurosat");
    const auto train = datasets::open_dataset(task, "train", data),
               test = datasets::open_dataset(task, "test", data);
    train_ = new std::vector<Image>;
    labels_ = new std::vector<int>;
    for (std::size_t i = 0; i < kImages; ++i) {
      train_->push_back(datasets::center_crop_resize(train->image(i), 64));
      labels_->push_back(train->label(i));
    }
    std::vector<Image> reference;
    for (std::size_t i = 0; i < 2 * kImages; ++i)
      reference.push_back(datasets::center_crop_resize(test->image(i), 64));
    const Tensor images = to_tensor(reference);
    reference_ = new Tensor(features(images));
    others_ = new std::vector<Other>{
        {"random features", [](const Tensor& set) { return in_batches(*random_, set); }, {}},
        {"8 x 8 pixels",
         [](const Tensor& set) {
           return at::adaptive_avg_pool2d(set, {8, 8}).flatten(1);
         },
         {}}};
    for (Other& other : *others_) other.reference = other.features(images);
    clean_ = fid(to_tensor(*train_));
  }
  static void TearDownTestSuite() {
    delete base_;
    delete random_;
    delete train_;
    delete labels_;
    delete reference_;
    delete others_;
  }
  void SetUp() override {
    if (base_ == nullptr)
      GTEST_SKIP() << "no EuroSAT in MARQUEE_SHARED, or no shipped base in MARQUEE_ASSETS";
  }

  static Tensor in_batches(const ParameterMap& parameters, const Tensor& images) {
    const torch::InferenceMode inference;
    std::vector<Tensor> parts;
    for (const Tensor& batch : images.split(100))
      parts.push_back(image_features(base_->feature_config, parameters, batch));
    return at::cat(parts);
  }
  static Tensor features(const Tensor& images) { return in_batches(base_->features, images); }
  static double fid(const Tensor& images) {
    return analysis::frechet_distance(features(rounded_to_levels(images)), *reference_);
  }
  static Tensor train() { return to_tensor(*train_); }

  // The training images made worse by each strength in turn: the distance grows, and stays above
  // that of the images as they are. Rulers without training agree about the ends, and those that
  // `agree` names about every step.
  static void expect_rising(const std::string& what, const std::vector<double>& strengths,
                            const std::vector<std::string>& agree,
                            const std::function<Tensor(double)>& worse) {
    double before = clean_;
    std::map<std::string, std::vector<double>> others;
    std::string seen = "as they are " + std::to_string(before);
    for (const double strength : strengths) {
      const Tensor images = rounded_to_levels(worse(strength));
      const double now = fid(images);
      seen += ", " + what + " " + std::to_string(strength) + ": " + std::to_string(now);
      EXPECT_GT(now, before) << seen;
      before = now;
      for (const Other& other : *others_)
        others[other.name].push_back(
            analysis::frechet_distance(other.features(images), other.reference));
    }
    for (const auto& [name, values] : others) {
      EXPECT_GT(values.back(), values.front()) << name << ", " << what;
      const bool every = std::find(agree.begin(), agree.end(), name) != agree.end();
      for (std::size_t i = 1; every && i < values.size(); ++i)
        EXPECT_GT(values[i], values[i - 1]) << name << ", " << what << " " << strengths[i];
    }
    std::cout << seen << "\n";
  }

  static BaseModel* base_;
  static ParameterMap* random_;
  static std::vector<Image>* train_;
  static std::vector<int>* labels_;
  static Tensor* reference_;
  static std::vector<Other>* others_;
  static double clean_;
};
BaseModel* Ruler::base_ = nullptr;
ParameterMap* Ruler::random_ = nullptr;
std::vector<Image>* Ruler::train_ = nullptr;
std::vector<int>* Ruler::labels_ = nullptr;
Tensor* Ruler::reference_ = nullptr;
std::vector<Ruler::Other>* Ruler::others_ = nullptr;
double Ruler::clean_ = 0;

TEST_F(Ruler, RisesWithBlur) {
  expect_rising("blur of sigma", {0.5, 1, 2, 4}, {"random features"}, [](double sigma) {
    const auto reach = static_cast<std::int64_t>(std::ceil(3 * sigma));
    const Tensor x = torch::arange(-reach, reach + 1, torch::kFloat32);
    Tensor kernel = (-x.square() / (2 * sigma * sigma)).exp();
    kernel /= kernel.sum();
    const Tensor padded = at::replication_pad2d(train(), {reach, reach, reach, reach});
    const Tensor down = kernel.view({1, 1, -1, 1}).expand({3, 1, -1, 1}),
                 across = kernel.view({1, 1, 1, -1}).expand({3, 1, 1, -1});
    const auto filtered = [](const Tensor& images, const Tensor& weights) {
      return at::conv2d(images, weights.contiguous(), {}, /*stride=*/at::IntArrayRef{1},
                        /*padding=*/at::IntArrayRef{0}, /*dilation=*/at::IntArrayRef{1},
                        /*groups=*/3);
    };
    return filtered(filtered(padded, down), across);
  });
}

TEST_F(Ruler, RisesWithNoise) {
  expect_rising("noise of", {5, 10, 20, 40}, {"random features"}, [](double levels) {
    cluster::PhiloxStream stream(1, cluster::Purpose::init);
    return (train() + normal_tensor(stream, train().sizes().vec()) * (levels / 255)).clamp(0, 1);
  });
}

TEST_F(Ruler, RisesAsTheQualityOfJpegFalls) {
  expect_rising("JPEG, 100 minus quality", {40, 70, 85, 95}, {}, [](double loss) {
    std::vector<Image> images;
    for (const Image& image : *train_) {
      const std::string bytes = datasets::encode_jpeg(image, 100 - static_cast<int>(loss));
      images.push_back(
          datasets::decode_image(std::as_bytes(std::span(bytes.data(), bytes.size()))));
    }
    return to_tensor(images);
  });
}

// Random features and pixels put six dropped classes below four: they measure mean colours, and the
// six that are left happen to balance. Only the ends are asked for there.
TEST_F(Ruler, RisesAsClassesAreDropped) {
  expect_rising("classes dropped:", {2, 4, 6, 8}, {}, [](double dropped) {
    std::vector<Image> images;
    for (std::size_t i = 0; i < train_->size(); ++i)
      if ((*labels_)[i] >= static_cast<int>(dropped)) images.push_back((*train_)[i]);
    return to_tensor(images);
  });
}

}  // namespace
}  // namespace marquee::workers
