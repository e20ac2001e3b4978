// What `marquee doctor --data` tells of a folder without reading the data.
#include "datasets/survey.h"

#include "cluster/error.h"
#include "datasets/dataset.h"
#include "datasets/tfds_builds.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/datasets/shared_data.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;

const TaskPresence& found_of(const std::vector<TaskPresence>& survey, const std::string& task) {
  const auto found = std::find_if(survey.begin(), survey.end(),
                                  [&](const TaskPresence& each) { return each.task == task; });
  MARQUEE_CHECK(found != survey.end(), task + " is not in the survey");
  return *found;
}

class SharedFolders : public testing::TestWithParam<const char*> {};

TEST_P(SharedFolders, AreCompleteWithTheDeclaredExamples) {
  const fs::path data = shared_data() / GetParam(), expected = shared_data() / "expected";
  MARQUEE_NEEDS(data);
  const std::vector<TaskPresence> survey = survey_data(data);
  EXPECT_EQ(survey.size(), 19u);
  int there = 0;
  for (const TaskPresence& each : survey) {
    EXPECT_TRUE(each.problems.empty()) << each.task << ": " << each.problems[0];
    if (each.standing == Standing::missing) continue;
    const std::string builder = find_task(each.task).builder;
    const auto content =
        read_json(expected / GetParam() / (builder.substr(0, builder.find('/')) + ".json"));
    EXPECT_EQ(each.version, content.at("version")) << each.task;
    ++there;
  }
  EXPECT_EQ(there, std::string(GetParam()) == "tfds" ? 2 : 19);
}

INSTANTIATE_TEST_SUITE_P(Tfds, SharedFolders, testing::Values("tfds", "tfds_fake", "tfds_synth"));

TEST(Survey, TellsVersionsApart) {
  const fs::path data = shared_data() / "tfds_synth";
  MARQUEE_NEEDS(data);
  std::vector<TaskPresence> survey = survey_data(data);
  EXPECT_EQ(found_of(survey, "svhn").standing, Standing::as_vtab_asks);
  EXPECT_EQ(found_of(survey, "oxford_iiit_pet").standing, Standing::same_content);
  EXPECT_NE(found_of(survey, "eurosat").note.find("27000 examples are published"),
            std::string::npos);
  const cluster::TemporaryFolder folder;
  fs::create_directories(folder.path() / "eurosat/rgb");
  fs::copy(data / "eurosat/rgb/2.0.0", folder.path() / "eurosat/rgb/9.0.0");
  survey = survey_data(folder.path());
  EXPECT_EQ(found_of(survey, "eurosat").standing, Standing::other_version);
  EXPECT_EQ(found_of(survey, "eurosat").version, "9.0.0");
  EXPECT_EQ(found_of(survey, "svhn").standing, Standing::missing);
}

// A copy of a small set that may be damaged.
class DamagedSet : public testing::Test {
 protected:
  void SetUp() override {
    const auto source = shared_data() / "tfds_synth/eurosat";
    MARQUEE_NEEDS(source);
    fs::copy(source, folder_.path() / "eurosat", fs::copy_options::recursive);
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path()))
      fs::permissions(entry.path(), fs::perms::owner_all);
  }
  fs::path version() const { return folder_.path() / "eurosat/rgb/2.0.0"; }
  fs::path shard(int number) const {
    return version() / ("eurosat-train.tfrecord-0000" + std::to_string(number) + "-of-00003");
  }
  std::string problem() const {
    const std::vector<TaskPresence> survey = survey_data(folder_.path());
    const TaskPresence& found = found_of(survey, "eurosat");
    EXPECT_FALSE(to_json(found).at("complete"));
    return found.problems.empty() ? "" : found.problems[0];
  }
  cluster::TemporaryFolder folder_;
};

TEST_F(DamagedSet, NamesAMissingShard) {
  fs::remove(shard(1));
  EXPECT_EQ(problem(), shard(1).string() + ": is missing");
}

TEST_F(DamagedSet, SeesAShardThatIsTooShort) {
  fs::resize_file(shard(2), fs::file_size(shard(2)) - 1);
  EXPECT_NE(problem().find("dataset_info.json declares"), std::string::npos) << problem();
}

TEST_F(DamagedSet, NamesADamagedInfoFile) {
  std::ofstream(version() / "dataset_info.json") << "{";
  EXPECT_NE(problem().find("dataset_info.json"), std::string::npos);
}

TEST_F(DamagedSet, NamesASplitThatIsNotThere) {
  std::ofstream(version() / "dataset_info.json")
      << R"({"splits": [{"name": "test", "shardLengths": ["1"]}]})";
  EXPECT_NE(problem().find("has no split 'train'"), std::string::npos);
}

TEST(Survey, LooksAtVtab1kFolders) {
  const fs::path source = shared_data() / "vtab1k/eurosat";
  MARQUEE_NEEDS(source);
  const cluster::TemporaryFolder folder;
  const fs::path copy = folder.path() / "eurosat";
  fs::create_directories(copy);
  for (const char* list : {"train800.txt", "val200.txt", "train800val200.txt", "test.txt"})
    fs::copy_file(source / list, copy / list);
  fs::create_directory_symlink(source / "images", copy / "images");
  const auto eurosat = [&] {
    const std::vector<TaskPresence> survey = survey_data(folder.path());
    return found_of(survey, "eurosat");
  };
  EXPECT_EQ(eurosat().standing, Standing::vtab1k);
  EXPECT_TRUE(eurosat().problems.empty());
  EXPECT_NE(eurosat().note.find("of " +
                                std::to_string(tfds_build_of(find_task("eurosat")).test_examples)),
            std::string::npos);
  fs::remove(copy / "val200.txt");
  EXPECT_EQ(eurosat().problems,
            std::vector<std::string>{(copy / "val200.txt").string() + ": is missing"});
  fs::remove(copy / "images");
  EXPECT_EQ(eurosat().problems.size(), 6u);
  EXPECT_TRUE(eurosat().problems.back().starts_with("and ")) << eurosat().problems.back();
}

// VTAB-1k folders of eight tasks have the name of a TFDS builder.
TEST(Survey, TellsAVtab1kFolderFromATfdsFolderOfTheSameName) {
  const fs::path source = shared_data() / "vtab1k/eurosat",
                 kitti = shared_data() / "tfds_synth/kitti";
  MARQUEE_NEEDS(source);
  MARQUEE_NEEDS(kitti);
  const cluster::TemporaryFolder folder;
  const TaskInfo& task = find_task("kitti_closest_vehicle_distance");
  fs::create_directories(folder.path() / "kitti/images");
  fs::create_directory_symlink(source / "images/val200", folder.path() / "kitti/images/val200");
  std::ofstream(folder.path() / "kitti/val200.txt") << "images/val200/000000.jpg 3\n";
  EXPECT_EQ(layout_of(task, folder.path()), DataLayout::vtab1k);
  EXPECT_EQ(open_dataset(task, "val200", folder.path())->label(0), 3);
  EXPECT_EQ(found_of(survey_data(folder.path()), task.name).standing, Standing::vtab1k);
  fs::copy(kitti, folder.path() / "kitti", fs::copy_options::recursive);
  EXPECT_EQ(layout_of(task, folder.path()), DataLayout::tfds);
  EXPECT_EQ(found_of(survey_data(folder.path()), task.name).standing, Standing::same_content);
}

TEST(Survey, NamesAFolderThatIsNotThere) {
  EXPECT_THROW(survey_data("/nowhere"), cluster::Error);
}

}  // namespace
}  // namespace marquee::datasets
