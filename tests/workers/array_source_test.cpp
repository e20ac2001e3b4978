// Arrays of images that are read piece by piece: every image is the one that was stored.
#include "workers/evaluation/array_source.h"

#include <gmock/gmock.h>

#include "tests/cluster/temporary_folder.h"
#include "tests/workers/refusal.h"
#include "workers/hdf5_file.h"

namespace marquee::workers {
namespace {

using testing::HasSubstr;

// 72 MiB, so that there are several windows, and the order of access goes through them and back.
TEST(Hdf5Images, AreReadByWindows) {
  const cluster::TemporaryFolder folder;
  const auto path = folder.path() / "images.h5";
  constexpr std::int64_t kImages = 24;
  const Tensor images = torch::randint(256, {kImages, 1024, 1024, 3}, torch::kUInt8);
  Hdf5File out = Hdf5File::create(path);
  out.write_tensor("images", images);
  out.write_tensor("labels", torch::zeros({kImages}, torch::kInt64));
  out.close();
  const auto source = open_hdf5_images(path);
  ASSERT_EQ(source->size(), static_cast<std::size_t>(kImages));
  for (const std::int64_t i : {0, 1, 23, 9, 10, 11, 21, 12, 0}) {
    const Tensor expected = images[i];
    const datasets::Image image = source->image(static_cast<std::size_t>(i));
    ASSERT_EQ(image.rgb.size(), expected.nbytes());
    EXPECT_TRUE(
        std::equal(image.rgb.begin(), image.rgb.end(), expected.const_data_ptr<std::uint8_t>()))
        << i;
  }
}

TEST(Hdf5Images, OfAnotherTypeOrFormAreRefusedByName) {
  const cluster::TemporaryFolder folder;
  const auto path = folder.path() / "images.h5";
  const auto refused = [&](const std::string& name, const Tensor& values) {
    Hdf5File out = Hdf5File::create(path);
    out.write_tensor(name, values);
    out.close();
    return refusal_of([&] { open_hdf5_images(path); });
  };
  EXPECT_THAT(refused("images", torch::zeros({2, 4, 4, 3})), HasSubstr("'images' is not of type"));
  EXPECT_THAT(refused("images", torch::zeros({2, 3, 4, 4}, torch::kUInt8)),
              HasSubstr("holds no uint8 array [n, height, width, 3]"));
  EXPECT_THAT(refused("x", torch::zeros({0, 4, 4, 3}, torch::kUInt8)), HasSubstr("no image"));
  EXPECT_THAT(refused("x", torch::zeros({2, 0, 4, 3}, torch::kUInt8)), HasSubstr("are empty"));
}

}  // namespace
}  // namespace marquee::workers
