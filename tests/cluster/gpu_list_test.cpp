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

TEST(GpuList, VisibleAreAllOrThoseThatTheVariableNames) {
  using Ids = std::vector<std::string>;
  EXPECT_EQ(visible_gpus(3, std::nullopt), (Ids{"0", "1", "2"}));
  EXPECT_EQ(visible_gpus(4, "2,3"), (Ids{"2", "3"}));
  EXPECT_EQ(visible_gpus(4, " 3 , 0"), (Ids{"3", "0"}));
  EXPECT_EQ(visible_gpus(2, "GPU-8a31,MIG-7"), (Ids{"GPU-8a31", "MIG-7"}));
  for (const char* none : {"", "-1", "NoDevFiles", "4"}) EXPECT_EQ(visible_gpus(4, none), Ids{});
  EXPECT_EQ(visible_gpus(0, "0,1"), Ids{}) << "no driver";
}

TEST(GpuList, WhatFollowsAnImpossibleNameIsNotVisible) {
  using Ids = std::vector<std::string>;
  EXPECT_EQ(visible_gpus(4, "1,9,2"), Ids{"1"});
  EXPECT_EQ(visible_gpus(4, "1,1,2"), Ids{"1"});
  EXPECT_EQ(visible_gpus(4, "0,99999999999999999999"), Ids{"0"});
  EXPECT_EQ(visible_gpus(4, "0,GPU-" + std::string(300, 'x')), Ids{"0"});
}

TEST(GpuList, HasAsManyAsTheDriver) {
  EXPECT_EQ(gpu_list().size(), static_cast<std::size_t>(gpu_count()));
}

}  // namespace
}  // namespace marquee::cluster
