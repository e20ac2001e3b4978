#include "cluster/gpu_list.h"

#include <gtest/gtest.h>

#include "cluster/host.h"

namespace marquee::cluster {
namespace {

TEST(GpuList, ReadsNamesAndMemory) {
  const std::vector<Gpu> gpus =
      parse_gpu_list("NVIDIA H100 80GB HBM3, 81559 MiB\nNVIDIA A100, with a comma, 40960 MiB\n");
  ASSERT_EQ(gpus.size(), 2u);
  EXPECT_EQ(gpus[0], (Gpu{"NVIDIA H100 80GB HBM3", std::int64_t{81559} << 20}));
  EXPECT_EQ(gpus[1].name, "NVIDIA A100, with a comma");
}

TEST(GpuList, KeepsGpusWhoseMemoryIsNotTold) {
  EXPECT_EQ(parse_gpu_list("Orin, [N/A]\n"), (std::vector<Gpu>{{"Orin", 0}}));
}

TEST(GpuList, RefusesWhatIsNoList) {
  EXPECT_TRUE(parse_gpu_list("").empty());
  EXPECT_TRUE(parse_gpu_list("NVIDIA-SMI has failed\n").empty());
  EXPECT_TRUE(parse_gpu_list(", 10 MiB\n").empty());
  EXPECT_TRUE(parse_gpu_list(std::string(300, 'x') + ", 10 MiB\n").empty());
}

TEST(GpuList, HasAsManyAsTheDriver) {
  EXPECT_EQ(gpu_list().size(), static_cast<std::size_t>(gpu_count()));
}

}  // namespace
}  // namespace marquee::cluster
