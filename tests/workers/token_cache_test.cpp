// The token cache: what it holds depends on the images alone, not on who asked for them, when, with
// how many threads, or after what accident.
#include "workers/tuning/token_cache.h"

#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "datasets/resize.h"
#include "tests/workers/tiny_base.h"
#include "workers/hdf5_file.h"
#include "workers/image_tensor.h"
#include "workers/tuning/token_set.h"

namespace marquee::workers {
namespace {

using Rows = std::vector<std::size_t>;

void ignore(std::int64_t, std::int64_t) {}

// Drawn images, some of which cannot be read.
class Damaged : public datasets::Dataset {
 public:
  Damaged(const std::string& task, std::set<std::size_t> bad)
      : whole_(datasets::open_dataset(datasets::find_task(task), "train", {})),
        bad_(std::move(bad)) {}
  std::size_t size() const override { return whole_->size(); }
  int num_classes() const override { return whole_->num_classes(); }
  int label(std::size_t index) const override { return whole_->label(index); }
  std::string id(std::size_t index) const override { return whole_->id(index); }
  datasets::Image image(std::size_t index) const override {
    if (bad_.contains(index))
      cluster::throw_environment("record " + std::to_string(index) + ": no image");
    return whole_->image(index);
  }
  std::string image_bytes(std::size_t index) const override { return whole_->image_bytes(index); }
  std::uint64_t stored_bytes(std::size_t) const override { return 0; }

 private:
  std::unique_ptr<datasets::Dataset> whole_;
  std::set<std::size_t> bad_;
};

class TokenCache : public testing::Test {
 protected:
  void SetUp() override {
    base_ = install_tiny_base(folder_.path() / "assets");
    recipe_.task = "drawn/shapes_count";
    recipe_.split = "train";
    recipe_.data_hash = "of the drawing";
    recipe_.mirrored = true;
  }
  datasets::DataFolder data(const std::string& cache = "cache") const {
    return {"", folder_.path() / cache};
  }
  CachedTokens tokens(const datasets::DataFolder& where, const Rows& rows, int threads = 1,
                      const CountProgress& progress = ignore) const {
    const auto dataset =
        datasets::open_dataset(datasets::find_task(recipe_.task), recipe_.split, {});
    return cached_tokens(recipe_, *dataset, where, base_, rows, threads, progress);
  }
  static Rows range(std::size_t from, std::size_t to) {
    Rows rows;
    for (std::size_t i = from; i < to; ++i) rows.push_back(i);
    return rows;
  }

  TemporaryFolder folder_;
  BaseModel base_;
  TokenRecipe recipe_;
};

TEST_F(TokenCache, TokensDependOnTheImageAlone) {
  const Tensor once = tokens(data("a"), range(0, 12)).ids;
  EXPECT_EQ(once.sizes(), at::IntArrayRef({12, 1, 2, 64}));
  tokens(data("b"), {7});
  tokens(data("b"), {3, 11}, 3);
  EXPECT_TRUE(torch::equal(tokens(data("b"), range(0, 12), 4).ids, once));
  EXPECT_TRUE(
      torch::equal(tokens(data("b"), {3, 7}).ids, once.index_select(0, torch::tensor({3, 7}))));
}

TEST_F(TokenCache, MirrorsAreTheTokensOfTheMirroredImage) {
  const auto dataset = datasets::open_dataset(datasets::find_task(recipe_.task), "train", {});
  const Tensor views = image_views(dataset->image(5), 5, 1, true, 64);
  ASSERT_EQ(views.sizes(), at::IntArrayRef({1, 2, 3, 64, 64}));
  EXPECT_TRUE(torch::equal(
      views[0], to_tensor({dataset->image(5), datasets::flip_horizontal(dataset->image(5))})));
}

TEST_F(TokenCache, OneFileServesEveryRunOfASplit) {
  experiments::RunConfig run = tiny_run(base_);
  load_tokens(run, base_, data(), ignore);
  run.seed = 8;
  run.method = "finetune";
  const TokenSet other = load_tokens(run, base_, data(), ignore);
  bool encoded = false;
  run.prompt_length = 4;
  const TokenSet again = load_tokens(run, base_, data(), [&](auto, auto) { encoded = true; });
  EXPECT_FALSE(encoded);
  EXPECT_TRUE(torch::equal(again.ids, other.ids));
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data().cache))
    files += entry.path().extension() == ".h5" ? 1 : 0;
  EXPECT_EQ(files, 1u);
}

TEST_F(TokenCache, TwoBuildersAtOnceShareOneFile) {
  const Tensor alone = tokens(data("alone"), range(0, 40)).ids;
  std::vector<Tensor> found(3);
  std::vector<std::thread> builders;
  for (std::size_t i = 0; i < found.size(); ++i) {
    builders.emplace_back([&, i] { found[i] = tokens(data(), range(i * 5, 30 + i * 5)).ids; });
  }
  for (std::thread& builder : builders) builder.join();
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_TRUE(torch::equal(found[i], alone.narrow(0, static_cast<std::int64_t>(i) * 5, 30))) << i;
  bool encoded = false;
  tokens(data(), range(0, 40), 1, [&](auto, auto) { encoded = true; });
  EXPECT_FALSE(encoded);
}

TEST_F(TokenCache, AStoppedBuilderKeepsWhatItMade) {
  struct Stop {};
  const auto stop = [](std::int64_t done, std::int64_t) {
    if (done > 0) throw Stop{};
  };
  EXPECT_THROW(tokens(data(), range(0, 3000), 1, stop), Stop);
  std::int64_t left = -1;
  const auto look = [&](std::int64_t, std::int64_t total) {
    left = total;
    throw Stop{};
  };
  EXPECT_THROW(tokens(data(), range(0, 3000), 1, look), Stop);
  EXPECT_LT(left, 3000);
  EXPECT_GT(left, 0);
}

TEST_F(TokenCache, AnotherPreprocessingIsAnotherFile) {
  std::set<std::string> files;
  const auto add = [&](const datasets::DataFolder& where) {
    files.insert(token_file(recipe_, where, base_).string());
  };
  add(data());
  datasets::DataFolder other = data();
  other.fast_dct = true;
  add(other);
  other = data();
  other.bad_records = datasets::BadRecords::skip;
  add(other);
  recipe_.crops = 4;
  add(data());
  recipe_.mirrored = false;
  add(data());
  recipe_.data_hash = "of another";
  add(data());
  recipe_.split = "trainval";
  add(data());
  base_.tokenizer_hash = "of another";
  add(data());
  EXPECT_EQ(files.size(), 8u);
}

TEST_F(TokenCache, SaysWhatCannotBeRead) {
  const Damaged damaged(recipe_.task, {2, 9});
  try {
    cached_tokens(recipe_, damaged, data(), base_, range(0, 12), 2, ignore);
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("no image"), std::string::npos);
  }
  datasets::DataFolder skips = data();
  skips.bad_records = datasets::BadRecords::skip;
  const CachedTokens found = cached_tokens(recipe_, damaged, skips, base_, range(0, 12), 2, ignore);
  EXPECT_EQ(found.unreadable, (std::map<std::size_t, std::string>{{2, "record 2: no image"},
                                                                  {9, "record 9: no image"}}));
  const Tensor whole = tokens(data("whole"), range(0, 12)).ids;
  for (const std::int64_t row : {0, 1, 3, 8, 10, 11})
    EXPECT_TRUE(torch::equal(found.ids[row], whole[row])) << row;
  // Known from the file now.
  bool tried = false;
  const CachedTokens again = cached_tokens(recipe_, damaged, skips, base_, range(0, 12), 1,
                                           [&](auto, auto) { tried = true; });
  EXPECT_FALSE(tried);
  EXPECT_EQ(again.unreadable, found.unreadable);
}

TEST_F(TokenCache, HoldsIdsAndLabelsForOthersToRead) {
  tokens(data(), {4, 6});
  const Hdf5File h5 = open_sealed_hdf5(token_file(recipe_, data(), base_));
  const auto dataset = datasets::open_dataset(datasets::find_task(recipe_.task), "train", {});
  EXPECT_EQ(h5.read_strings("ids"), (std::vector<std::string>{dataset->id(4), dataset->id(6)}));
  EXPECT_TRUE(torch::equal(h5.read_tensor("rows"), torch::tensor({4, 6}, torch::kInt64)));
  EXPECT_EQ(h5.read_tensor("labels")[1].item<int>(), dataset->label(6));
  EXPECT_EQ(h5.string_attribute("", "split"), "train");
}

TEST_F(TokenCache, IsNotBelievedForOtherLabels) {
  tokens(data(), {4, 6});
  const auto file = token_file(recipe_, data(), base_);
  // The same place, as if the data had changed behind an equal hash.
  recipe_.task = "drawn/dsprites_location";
  std::filesystem::copy_file(file, token_file(recipe_, data(), base_));
  bool encoded = false;
  tokens(data(), {4, 6}, 1, [&](auto, auto) { encoded = true; });
  EXPECT_TRUE(encoded);
}

// A picture whose red and green say where a pixel is.
datasets::Image ramp(int height, int width) {
  datasets::Image image{height, width, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.rgb.push_back(static_cast<std::uint8_t>(x));
      image.rgb.push_back(static_cast<std::uint8_t>(y));
      image.rgb.push_back(0);
    }
  }
  return image;
}

TEST(ImageViews, CropsLieInTheImageAtPlacesOfTheirOwn) {
  const datasets::Image image = ramp(64, 200);
  std::set<int> places;
  for (std::size_t row = 0; row < 20; ++row) {
    const Tensor views = image_views(image, row, 3, false, 64);
    ASSERT_EQ(views.sizes(), at::IntArrayRef({3, 1, 3, 64, 64}));
    EXPECT_TRUE(torch::equal(views, image_views(image, row, 3, false, 64)));
    for (int crop = 0; crop < 3; ++crop) {
      const Tensor levels = (views[crop][0] * 255).round();
      const int left = levels[0][0][0].item<int>();
      EXPECT_EQ(levels[1][0][0].item<int>(), 0);  // full height: from the top
      EXPECT_EQ(levels[1][63][0].item<int>(), 63);
      EXPECT_EQ(levels[0][0][63].item<int>(), left + 63);
      places.insert(left);
    }
  }
  EXPECT_GT(places.size(), 20u);
  EXPECT_LT(*places.begin(), 20);
  EXPECT_GT(*places.rbegin(), 200 - 64 - 20);
}

TEST(ImageViews, AreScaledToCoverFirst) {
  const Tensor views = image_views(ramp(128, 30), 0, 2, true, 64);
  ASSERT_EQ(views.sizes(), at::IntArrayRef({2, 2, 3, 64, 64}));
  EXPECT_TRUE(torch::equal(views[1][1], views[1][0].flip(-1)));
}

TEST(ImageViews, AreNotRoundedToLevels) {
  const Tensor levels = image_views(ramp(50, 50), 0, 1, false, 64) * 255;
  EXPECT_GT((levels - levels.round()).abs().max().item<float>(), 0.1F);
}

}  // namespace
}  // namespace marquee::workers
