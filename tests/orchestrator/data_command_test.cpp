// marquee data and marquee doctor --data as people and scripts call them.
#include <fstream>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "datasets/task.h"
#include "orchestrator/commands/commands.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/datasets/shared_data.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
using datasets::shared_data;
using nlohmann::json;

struct Outcome {
  int code = 0;
  std::string text;   // standard output
  std::string error;  // what it threw
};

Outcome call(const Arguments& arguments) {
  Outcome outcome;
  testing::internal::CaptureStdout();
  try {
    outcome.code = dispatch(arguments);
  } catch (const std::exception& error) {
    outcome.code = cluster::exit_code_of(error);
    outcome.error = error.what();
  }
  outcome.text = testing::internal::GetCapturedStdout();
  return outcome;
}

std::set<std::string> keys_of(const json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

class SmallData : public testing::Test {
 protected:
  void SetUp() override { MARQUEE_NEEDS(shared_data() / "tfds_synth"); }
  static std::string data() { return (shared_data() / "tfds_synth").string(); }
  // A copy of one set, which may be damaged.
  std::string copy_of(const std::string& set) const {
    const fs::path copy = folder_.path() / "copy";
    fs::create_directories(copy);
    fs::copy(shared_data() / "tfds_synth" / set, copy / set, fs::copy_options::recursive);
    for (const auto& entry : fs::recursive_directory_iterator(copy))
      fs::permissions(entry.path(), fs::perms::owner_all);
    return copy.string();
  }
  cluster::TemporaryFolder folder_;
};

TEST(DataList, IsReadableInATerminalAndComplete) {
  const Outcome table = call({"data", "list"});
  EXPECT_EQ(table.code, 0);
  std::istringstream lines(table.text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120u) << line;
  const json list = json::parse(call({"data", "list", "--json"}).text);
  ASSERT_EQ(list.size(), datasets::all_tasks().size());
  for (const json& task : list)
    EXPECT_NE(table.text.find(task.at("task").get<std::string>()), std::string::npos);
  EXPECT_EQ(list[8].at("task"), "eurosat");
  EXPECT_EQ(list[8].at("val"), "train[60%:80%]");
  EXPECT_EQ(list[8].at("version"), "2.*.*");
}

TEST_F(SmallData, InspectPrintsOneObjectForATask) {
  const Outcome done =
      call({"data", "inspect", "--data", data(), "--task", "dsprites_location", "--json", "-q"});
  EXPECT_EQ(done.code, 0);
  const json found = json::parse(done.text);
  EXPECT_EQ(keys_of(found),
            (std::set<std::string>{"task", "dataset", "version", "num_classes", "splits"}));
  EXPECT_EQ(keys_of(found.at("splits")),
            (std::set<std::string>{"train", "val", "trainval", "test", "train800", "val200",
                                   "train800val200"}));
  for (const json& split : found.at("splits")) {
    EXPECT_EQ(keys_of(split),
              (std::set<std::string>{"examples", "label_histogram", "outside", "clipped",
                                     "first_keys", "last_keys", "image_sizes", "bytes"}));
    EXPECT_EQ(split.at("label_histogram").size(), 16u);
    EXPECT_EQ(split.at("image_sizes"), (json{{"64x64", split.at("examples")}}));
  }
}

TEST_F(SmallData, InspectPrintsAListOfWhatIsThere) {
  const json found = json::parse(call({"data", "inspect", "--data", data(), "--json", "-q"}).text);
  EXPECT_EQ(found.size(), 19u);
  const json one = json::parse(
      call({"data", "inspect", "--data", copy_of("svhn_cropped"), "--json", "-q"}).text);
  ASSERT_TRUE(one.is_array());
  EXPECT_EQ(one.at(0).at("task"), "svhn");
  const Outcome text = call({"data", "inspect", "--data", data(), "-t", "svhn", "-q"});
  EXPECT_NE(text.text.find("svhn: svhn_cropped 3.1.0, 10 classes"), std::string::npos);
}

TEST_F(SmallData, InspectTellsOfTheOthersWhenOneCannotBeRead) {
  const std::string folder = copy_of("dtd");
  copy_of("svhn_cropped");
  fs::remove(fs::path(folder) / "dtd/3.0.1/dtd-test.tfrecord-00000-of-00002");
  testing::internal::CaptureStderr();
  const Outcome done = call({"data", "inspect", "--data", folder, "--json", "-q"});
  const std::string errors = testing::internal::GetCapturedStderr();
  EXPECT_EQ(done.code, 3);
  EXPECT_NE(errors.find("dtd-test.tfrecord-00000-of-00002"), std::string::npos) << errors;
  const json found = json::parse(done.text);
  EXPECT_TRUE(found.at(0).contains("error"));
  EXPECT_EQ(found.at(1).at("task"), "svhn");
}

TEST_F(SmallData, VerifySaysWhole) {
  const Outcome done = call({"data", "verify", "--data", data(), "-t", "resisc45", "-q"});
  EXPECT_EQ(done.code, 0);
  EXPECT_NE(done.text.find("resisc45: 60 examples: whole"), std::string::npos) << done.text;
}

TEST_F(SmallData, VerifyNamesBrokenRecordsAndFails) {
  const std::string folder = copy_of("resisc45");
  const fs::path shard = fs::path(folder) / "resisc45/3.0.0/resisc45-train.tfrecord-00001-of-00003";
  {
    std::fstream file(shard, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(200);
    file << "damage";
  }
  const Outcome text = call({"data", "verify", "--data", folder, "-q"});
  EXPECT_EQ(text.code, 3);
  EXPECT_NE(text.text.find("resisc45: 60 examples: 1 broken"), std::string::npos) << text.text;
  EXPECT_NE(text.text.find(shard.string() + ": record 0 at byte 0: checksum of its data"),
            std::string::npos)
      << text.text;
  const json found = json::parse(call({"data", "verify", "--data", folder, "--json", "-q"}).text);
  EXPECT_EQ(found.at(0).at("whole"), false);
  const json& broken = found.at(0).at("broken").at(0);
  EXPECT_EQ(broken.at("file"), shard.string());
  EXPECT_EQ(broken.at("record"), 0);
  EXPECT_EQ(broken.at("offset"), 0);
}

TEST_F(SmallData, ExportWritesBothFormsAndRefusesWhatIsThere) {
  const std::string to = (folder_.path() / "out").string();
  const Arguments vtab1k{"data", "export", "--data", data(), "-t", "svhn", "--to", to, "-q"};
  Outcome done = call(vtab1k);
  EXPECT_EQ(done.code, 0) << done.error;
  EXPECT_TRUE(fs::exists(fs::path(to) / "svhn/images/test/000000.jpg"));
  done = call(vtab1k);
  EXPECT_EQ(done.code, 2);
  EXPECT_NE(done.error.find("is there already"), std::string::npos) << done.error;
  // What was written is read as a VTAB-1k folder.
  done = call({"data", "verify", "--data", to, "-q"});
  EXPECT_EQ(done.code, 0);
  EXPECT_NE(done.text.find("whole"), std::string::npos);
  const std::string images = (folder_.path() / "images").string();
  done = call({"data", "export", "--data", data(), "-t", "svhn", "--to", images, "--form", "folder",
               "--split", "val", "--json", "-q"});
  EXPECT_EQ(done.code, 0) << done.error;
  EXPECT_EQ(json::parse(done.text).at("folder"), images);
  EXPECT_TRUE(fs::is_directory(fs::path(images) / "val/class_007"));
}

TEST_F(SmallData, ReadsAFolderOfImagesAsATask) {
  const fs::path data = shared_data() / "folders";
  MARQUEE_NEEDS(data);
  const json found = json::parse(call({"data", "inspect", "--data", data.string(), "-t",
                                       "folder/eurosat_tiny", "--json", "-q"})
                                     .text);
  EXPECT_EQ(found.at("num_classes"), 10);
  EXPECT_EQ(found.at("splits").at("train").at("label_histogram").size(), 10u);
  Outcome done =
      call({"data", "verify", "--data", data.string(), "-t", "folder/eurosat_tiny", "-q"});
  EXPECT_EQ(done.code, 0);
  EXPECT_NE(done.text.find("120 examples: whole"), std::string::npos) << done.text;
  const fs::path to = folder_.path() / "out";
  done = call({"data", "export", "--data", data.string(), "-t", "folder/eurosat_tiny", "--to",
               to.string(), "--form", "folder", "-q"});
  EXPECT_EQ(done.code, 0) << done.error;
  EXPECT_TRUE(fs::is_directory(to / "test/Forest"));
  done = call({"data", "export", "--data", data.string(), "-t", "folder/eurosat_tiny", "--to",
               to.string(), "-q"});
  EXPECT_EQ(done.code, 2);
}

TEST_F(SmallData, ExportLeavesOutWhatHasNoClass) {
  const fs::path data = shared_data() / "tfds_fake";
  MARQUEE_NEEDS(data);
  const Outcome done = call({"data", "export", "--data", data.string(), "-t", "oxford_iiit_pet",
                             "--to", (folder_.path() / "out").string(), "--json", "-q"});
  EXPECT_EQ(done.code, 0) << done.error;
  EXPECT_GE(json::parse(done.text).at("left_out").get<int>(), 2);
}

TEST_F(SmallData, MistakesAreUsageErrorsWithTheNearestName) {
  const auto expect = [&](const Arguments& arguments, int code, const std::string& words) {
    const Outcome done = call(arguments);
    EXPECT_EQ(done.code, code) << done.error;
    EXPECT_NE(done.error.find(words), std::string::npos) << done.error;
  };
  expect({"data", "inspct"}, 2, "did you mean 'inspect'");
  expect({"data", "inspect", "--task", "eurosta", "--data", data()}, 2, "did you mean 'eurosat'");
  expect({"data", "verify", "--tsak", "eurosat"}, 2, "did you mean");
  expect({"data", "verify", "--data", data(), "--threads", "-3"}, 2, "expected 0 to 256");
  expect({"data", "export", "-t", "svhn", "--to", "x", "--form", "foldr"}, 2,
         "did you mean 'folder'");
  expect({"data", "export", "-t", "svhn", "--to", "x", "--decode", "acurate"}, 2,
         "did you mean 'accurate'");
  expect({"data", "export", "-t", "svhn", "--to", "x", "--split", "val"}, 2, "--form folder");
  expect({"data", "inspect", "--data", "/nowhere"}, 3, "/nowhere");
  expect({"data", "inspect", "--data", "/nowhere", "-t", "svhn"}, 3, "/nowhere");
  expect({"data", "verify", "--data", folder_.path().string(), "-t", "svhn"}, 3, "svhn_cropped");
  expect({"data", "inspect", "--data", folder_.path().string()}, 3, "none of the 19 tasks");
}

TEST_F(SmallData, DoctorTellsWhatIsThereAndHowToMakeTheRest) {
  const std::string folder = copy_of("dtd");
  const json found = json::parse(call({"doctor", "--data", folder, "--json"}).text);
  const json& tasks = found.at("data");
  ASSERT_EQ(tasks.size(), 19u);
  for (const json& task : tasks) {
    EXPECT_EQ(task.at("complete"), task.at("task") == "dtd");
    EXPECT_EQ(task.at("standing"), task.at("task") == "dtd" ? "as VTAB asks" : "missing");
    EXPECT_TRUE(task.at("build").get<std::string>().starts_with("tfds build --data_dir " + folder));
  }
  fs::remove(fs::path(folder) / "dtd/3.0.1/dtd-test.tfrecord-00000-of-00002");
  const Outcome text = call({"doctor", "--data", folder});
  EXPECT_EQ(text.code, 3);
  EXPECT_NE(text.text.find("FAIL  data"), std::string::npos) << text.text;
  EXPECT_NE(text.text.find("dtd-test.tfrecord-00000-of-00002: is missing"), std::string::npos);
  EXPECT_NE(text.text.find("missing: tfds build --data_dir " + folder + " kitti:3.3.0"),
            std::string::npos);
}

}  // namespace
}  // namespace marquee::orchestrator
