// Every task read from small sets that TFDS wrote: labels, order, slices and pixels.
#include "datasets/tfds.h"

#include <set>

#include "cluster/error.h"
#include "cluster/sha256.h"
#include "datasets/dataset_hash.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/datasets/shared_data.h"

namespace marquee::datasets {
namespace {

// An expected label of null: the rule has no class for the image.
int label_of(const nlohmann::json& value) {
  return value.is_null() ? -1 : value.get<int>();
}

bool same_label(int found, int expected) {
  return found == expected || (found < 0 && expected < 0);
}

void expect_same_labels(const std::filesystem::path& data, const std::string& task,
                        const std::string& split, const nlohmann::json& expected) {
  const auto dataset = open_dataset(find_task(task), split, data);
  const auto& labels = expected.at("labels");
  ASSERT_EQ(dataset->size(), labels.size()) << task << " " << split;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    ASSERT_TRUE(same_label(dataset->label(i), label_of(labels[i])))
        << task << " " << split << " " << i << ": " << dataset->label(i) << " for " << labels[i];
  }
}

class SmallSets : public testing::TestWithParam<const char*> {};

TEST_P(SmallSets, GiveTheExpectedLabelsInTheExpectedOrder) {
  const auto data = shared_data() / GetParam();
  const auto expected = shared_data() / "expected" / GetParam();
  MARQUEE_NEEDS(expected);
  std::set<std::string> tasks;
  for (const auto& entry : std::filesystem::directory_iterator(expected)) {
    const auto content = read_json(entry.path());
    for (const auto& [task, splits] : content.at("tasks").items()) {
      for (const auto& [split, wanted] : splits.at("splits").items()) {
        // Slices that a small set does not have are clipped, as the expected files do; TFDS itself
        // refuses them.
        expect_same_labels(data, task, split, wanted);
        tasks.insert(task);
      }
    }
  }
  EXPECT_EQ(tasks.size(), 19u);
}

TEST_P(SmallSets, GiveTheExpectedPixelsAndIds) {
  const auto data = shared_data() / GetParam();
  const auto expected = shared_data() / "expected" / GetParam();
  MARQUEE_NEEDS(expected);
  int compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(expected)) {
    const auto content = read_json(entry.path());
    const std::string task = content.at("tasks").begin().key();
    const auto& examples = content.at("splits").at("train").at("examples");
    // Every task's train split is the head of the stored one.
    const auto dataset = open_dataset(find_task(task), "train", data);
    ASSERT_LE(dataset->size(), examples.size()) << task;
    for (std::size_t i = 0; i < dataset->size(); ++i) {
      EXPECT_EQ(rgb_hash(dataset->image(i)), examples[i].at("image").at("sha256_rgb"))
          << task << " " << i;
      const auto& key = examples[i].at("key");
      EXPECT_EQ(dataset->id(i), key.is_null() ? std::to_string(i) : key.get<std::string>())
          << task << " " << i;
      ++compared;
    }
  }
  EXPECT_GT(compared, 30);
}

INSTANTIATE_TEST_SUITE_P(Tfds, SmallSets, testing::Values("tfds_synth", "tfds_fake"));

class RealSets : public testing::TestWithParam<const char*> {
 protected:
  static std::filesystem::path data() { return shared_data() / "tfds"; }
  static nlohmann::json expected() {
    return read_json(shared_data() / "expected/tfds" / (std::string(GetParam()) + ".json"));
  }
};

TEST_P(RealSets, HaveVtabsSplits) {
  MARQUEE_NEEDS(data() / GetParam());
  const auto content = expected();
  for (const auto& [split, wanted] : content.at("tasks").at(GetParam()).at("splits").items()) {
    const auto dataset = open_dataset(find_task(GetParam()), split, data());
    ASSERT_EQ(dataset->size(), wanted.at("num_examples").get<std::size_t>()) << split;
    EXPECT_EQ(dataset->id(0), wanted.at("first_key")) << split;
    EXPECT_EQ(dataset->id(dataset->size() - 1), wanted.at("last_key")) << split;
    if (wanted.contains("labels")) {
      EXPECT_EQ(labels_of(*dataset), wanted.at("labels").get<std::vector<int>>()) << split;
    }
    if (!wanted.contains("sha256_of_lines")) continue;
    cluster::Sha256 lines;
    for (std::size_t i = 0; i < dataset->size(); ++i)
      lines.update(dataset->id(i) + "\t" + std::to_string(dataset->label(i)) + "\n");
    EXPECT_EQ(lines.hex(), wanted.at("sha256_of_lines")) << split;
  }
}

TEST_P(RealSets, PixelsEqualTheAccurateDecoding) {
  MARQUEE_NEEDS(data() / GetParam());
  const auto content = expected();
  const auto dataset = open_dataset(find_task(GetParam()), "train", data());
  for (const auto& first : content.at("splits").at("train").at("first_images")) {
    const auto i = first.at("i").get<std::size_t>();
    EXPECT_EQ(rgb_hash(dataset->image(i)), first.at("image").at("sha256_rgb")) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Tfds, RealSets, testing::Values("eurosat", "caltech101"));

TEST(OpenDataset, NamesTheFolderThatIsMissing) {
  try {
    open_dataset(find_task("svhn"), "train", "/nowhere");
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find("/nowhere"), std::string::npos) << error.what();
  }
}

TEST(OpenDataset, NamesTheShardThatIsMissing) {
  const auto source = shared_data() / "tfds_synth" / "eurosat";
  MARQUEE_NEEDS(source);
  const cluster::TemporaryFolder folder;
  const std::filesystem::path& data = folder.path();
  std::filesystem::copy(source, data / "eurosat", std::filesystem::copy_options::recursive);
  std::string removed;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data)) {
    if (entry.path().filename().string().find("00001-of") == std::string::npos) continue;
    removed = entry.path().filename().string();
    std::filesystem::remove(entry.path());
    break;
  }
  try {
    const auto dataset = open_dataset(find_task("eurosat"), "train", data);
    dataset->image(25);
    ADD_FAILURE() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_NE(std::string(error.what()).find(removed), std::string::npos) << error.what();
  }
}

TEST(DatasetHash, ChangesWithAShardsSize) {
  const auto source = shared_data() / "tfds_synth" / "eurosat";
  MARQUEE_NEEDS(source);
  const cluster::TemporaryFolder folder;
  const std::filesystem::path& data = folder.path();
  std::filesystem::copy(source, data / "eurosat", std::filesystem::copy_options::recursive);
  const TaskInfo& task = find_task("eurosat");
  const std::string before = dataset_content_hash(task, data);
  EXPECT_EQ(before, dataset_content_hash(task, shared_data() / "tfds_synth"));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data)) {
    if (entry.path().filename().string().find("00000-of") == std::string::npos) continue;
    std::filesystem::permissions(entry.path(), std::filesystem::perms::owner_all);
    std::ofstream(entry.path(), std::ios::app) << "x";
    break;
  }
  EXPECT_NE(before, dataset_content_hash(task, data));
}

}  // namespace
}  // namespace marquee::datasets
