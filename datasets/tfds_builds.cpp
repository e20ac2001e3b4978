#include "datasets/tfds_builds.h"

#include <algorithm>

#include "cluster/error.h"

namespace marquee::datasets {
namespace {

constexpr TfdsBuild kBuilds[] = {
    {"caltech101", "caltech101:3.0.2", 9144, 6084},
    {"cifar100", "cifar100:3.0.2", 60000, 10000},
    {"dtd", "dtd:3.0.1", 5640, 1880},
    {"oxford_flowers102", "oxford_flowers102:2.1.1", 8189, 6149},
    {"oxford_iiit_pet", "oxford_iiit_pet:4.0.0", 7349, 3669},
    {"svhn_cropped", "svhn_cropped:3.1.0", 99289, 26032},
    {"sun397/tfds", "sun397/tfds:4.0.0", 108753, 21750},
    {"patch_camelyon", "patch_camelyon:2.0.0", 327680, 32768},
    {"eurosat/rgb", "eurosat/rgb:2.0.0", 27000, 5400},
    {"resisc45", "resisc45:3.0.0 --manual_dir DIR", 31500, 6300},
    {"diabetic_retinopathy_detection/btgraham-300",
     "diabetic_retinopathy_detection/btgraham-300:3.0.0 --manual_dir DIR", 88702, 42670},
    {"clevr", "clevr:3.1.0", 85000, 15000},
    {"dmlab", "dmlab:2.0.1", 110913, 22735},
    {"kitti", "kitti:3.3.0", 7481, 711},
    {"dsprites", "dsprites:2.0.0", 737280, 73728},
    {"smallnorb", "smallnorb:2.0.0", 48600, 12150}};

}  // namespace

const TfdsBuild& tfds_build_of(const TaskInfo& task) {
  const auto* found = std::find_if(std::begin(kBuilds), std::end(kBuilds), [&](const auto& build) {
    return task.builder == build.builder;
  });
  MARQUEE_CHECK(found != std::end(kBuilds), "no TFDS build for task " + task.name);
  return *found;
}

std::string tfds_build_command(const TaskInfo& task, const std::string& data_dir) {
  return "tfds build --data_dir " + data_dir + " " + tfds_build_of(task).target;
}

}  // namespace marquee::datasets
