// Arrays of images that are read piece by piece: every image is the one that was stored.
#include "workers/evaluation/array_source.h"

#include <vector>

#include <gmock/gmock.h>
#include <hdf5.h>

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

// A data set of such a shape with nothing in it, of chunks; compressed.
class Claiming {
 public:
  Claiming(const std::filesystem::path& path, const std::vector<hsize_t>& shape,
           const std::vector<hsize_t>& chunk) {
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(4, shape.data(), nullptr);
    const hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(how, 4, chunk.data());
    H5Pset_deflate(how, 4);
    set_ = H5Dcreate2(file, "images", H5T_NATIVE_UINT8, space, H5P_DEFAULT, how, H5P_DEFAULT);
    H5Pclose(how);
    H5Sclose(space);
    H5Fclose(file);
  }
  ~Claiming() { H5Dclose(set_); }
  void write(const Tensor& images) const {
    H5Dwrite(set_, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, images.const_data_ptr());
  }

 private:
  hid_t set_;
};

TEST(Hdf5Images, OfCompressedChunksAreThoseThatWereStored) {
  const cluster::TemporaryFolder folder;
  const auto path = folder.path() / "images.h5";
  const Tensor images = torch::randint(256, {12, 16, 16, 3}, torch::kUInt8);
  Claiming(path, {12, 16, 16, 3}, {5, 16, 7, 3}).write(images);
  const auto source = open_hdf5_images(path);
  ASSERT_EQ(source->size(), 12u);
  for (const std::size_t i : {0u, 11u, 4u, 5u}) {
    const datasets::Image image = source->image(i);
    const Tensor expected = images[static_cast<std::int64_t>(i)];
    EXPECT_TRUE(
        std::equal(image.rgb.begin(), image.rgb.end(), expected.const_data_ptr<std::uint8_t>()))
        << i;
  }
}

TEST(Hdf5Images, ThatAFileCannotHoldAreRefused) {
  const cluster::TemporaryFolder folder;
  const auto path = folder.path() / "images.h5";
  { const Claiming file(path, {1 << 30, 64, 64, 3}, {1, 64, 64, 3}); }
  EXPECT_THAT(refusal_of([&] { open_hdf5_images(path); }), HasSubstr("too few"));
  { const Claiming file(path, {1 << 17, 128, 128, 3}, {1 << 15, 128, 128, 3}); }
  EXPECT_THAT(refusal_of([&] { open_hdf5_images(path); }), HasSubstr("chunks of more than 1 GiB"));
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
