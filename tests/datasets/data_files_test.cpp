// A folder that holds the listed files alone is the same task.
#include "datasets/data_files.h"

#include <algorithm>
#include <fstream>

#include "cluster/error.h"
#include "datasets/dataset.h"
#include "datasets/dataset_hash.h"
#include "datasets/encode_png.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/datasets/shared_data.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

Names copy_listed(const TaskInfo& task, const fs::path& data, const fs::path& to) {
  const Names names = data_files(task, data);
  EXPECT_FALSE(names.empty());
  for (const std::string& name : names) {
    fs::create_directories((to / name).parent_path());
    fs::copy_file(data / name, to / name);
  }
  return names;
}

void expect_same_images(const TaskInfo& task, const std::string& split, const fs::path& data,
                        const fs::path& copy) {
  SCOPED_TRACE(task.name + ", " + split);
  const auto original = open_dataset(task, split, {data}),
             copied = open_dataset(task, split, {copy});
  ASSERT_EQ(original->size(), copied->size());
  EXPECT_EQ(labels_of(*original), labels_of(*copied));
  for (std::size_t i = 0; i < std::min<std::size_t>(3, original->size()); ++i) {
    EXPECT_EQ(original->id(i), copied->id(i));
    EXPECT_EQ(original->image_bytes(i), copied->image_bytes(i));
  }
}

std::size_t count_of(const Names& names, const std::string& part) {
  return static_cast<std::size_t>(std::count_if(names.begin(), names.end(), [&](const auto& name) {
    return name.find(part) != std::string::npos;
  }));
}

TEST(DataFiles, OfTfdsAreTheShardsOfTheSplitsThatTheTaskUses) {
  const fs::path data = shared_data() / "tfds_synth";
  MARQUEE_NEEDS(data);
  for (const char* name : {"svhn", "eurosat", "clevr_count"}) {
    const TaskInfo& task = find_task(name);
    const cluster::TemporaryFolder folder;
    const Names names = copy_listed(task, data, folder.path());
    EXPECT_EQ(count_of(names, "dataset_info.json"), 1u);
    EXPECT_EQ(count_of(names, "-extra."), 0u) << "svhn's third stored split is in none of ours";
    for (const std::string& split : split_names())
      expect_same_images(task, split, data, folder.path());
  }
}

TEST(DataFiles, OfAVtab1kFolderAreItsListsAndWhatTheyName) {
  const fs::path data = shared_data() / "vtab1k";
  MARQUEE_NEEDS(data);
  const TaskInfo& task = find_task("eurosat");
  const cluster::TemporaryFolder folder;
  copy_listed(task, data, folder.path());
  EXPECT_EQ(dataset_content_hash(task, data), dataset_content_hash(task, folder.path()));
  expect_same_images(task, "train800val200", data, folder.path());
  expect_same_images(task, "test", data, folder.path());
}

TEST(DataFiles, OfAnImageFolderAreTheImages) {
  const cluster::TemporaryFolder folder;
  const fs::path data = folder.path() / "data", copy = folder.path() / "copy";
  for (int i = 0; i < 40; ++i) {
    const fs::path file = data / "own" / (i % 2 ? "a" : "b/deeper") / (std::to_string(i) + ".png");
    fs::create_directories(file.parent_path());
    write_png(file, {2, 2, std::vector<std::uint8_t>(12, static_cast<std::uint8_t>(i))});
  }
  std::ofstream(data / "own/readme.txt") << "no image";
  write_png(data / "own/beside.png", {2, 2, std::vector<std::uint8_t>(12)});
  const TaskInfo& task = find_task("folder/own");
  EXPECT_EQ(copy_listed(task, data, copy).size(), 40u);
  EXPECT_EQ(dataset_content_hash(task, data), dataset_content_hash(task, copy));
  for (const char* split : {"train", "val", "test"}) expect_same_images(task, split, data, copy);
}

TEST(DataFiles, OfDrawnTasksAndArchivesAreNone) {
  const cluster::TemporaryFolder folder;
  EXPECT_TRUE(data_files(find_task("drawn/shapes_count"), "").empty());
  std::ofstream(folder.path() / "packed.zip") << "never opened";
  EXPECT_TRUE(data_files(find_task("folder/packed"), folder.path()).empty());
  EXPECT_THROW(data_files(find_task("folder/missing"), folder.path()), cluster::Error);
  EXPECT_THROW(data_files(find_task("eurosat"), folder.path()), cluster::Error);
}

}  // namespace
}  // namespace marquee::datasets
