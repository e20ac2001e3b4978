// marquee data: inspect, verify and export, against what the expected files say.
#include "datasets/inspection.h"

#include <algorithm>
#include <set>

#include "cluster/error.h"
#include "datasets/export.h"
#include "datasets/tfrecord.h"
#include "datasets/verification.h"
#include "datasets/vtab1k.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/datasets/shared_data.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void silent(std::size_t, std::size_t) {}

// Histogram of an expected file: label to count, "None" for no class.
void expect_histogram(const json& found, const json& wanted, const std::string& what) {
  std::map<std::string, std::size_t> labels;
  for (const auto& [label, count] : wanted.items())
    labels[label == "None" ? "null" : label] = count.get<std::size_t>();
  const auto& histogram = found.at("label_histogram");
  for (std::size_t label = 0; label < histogram.size(); ++label) {
    const std::string name = std::to_string(label);
    EXPECT_EQ(histogram[label], labels.contains(name) ? labels.at(name) : 0) << what << " " << name;
    labels.erase(name);
  }
  EXPECT_EQ(found.at("outside"), json(labels)) << what;
}

class Inspected : public testing::TestWithParam<const char*> {};

TEST_P(Inspected, EqualsTheExpectedFiles) {
  const fs::path data = shared_data() / GetParam();
  const fs::path expected = shared_data() / "expected" / GetParam();
  MARQUEE_NEEDS(expected);
  int compared = 0;
  for (const auto& entry : fs::directory_iterator(expected)) {
    const json content = read_json(entry.path());
    for (const auto& [task, wanted] : content.at("tasks").items()) {
      const json found = to_json(inspect_task(find_task(task), data, silent));
      EXPECT_EQ(found.at("version"), content.at("version")) << task;
      EXPECT_EQ(found.at("num_classes"), wanted.at("num_classes")) << task;
      for (const auto& [name, split] : wanted.at("splits").items()) {
        const std::string what = task + " " + name;
        const json& part = found.at("splits").at(name);
        EXPECT_EQ(part.at("examples"), split.at("num_examples")) << what;
        expect_histogram(part, split.at("histogram"), what);
        if (split.contains("tfds_refuses")) {
          EXPECT_EQ(part.at("clipped"), split.at("tfds_refuses")) << what;
        }
        const json none;
        const json& first = part.at("first_keys");
        const json& last = part.at("last_keys");
        EXPECT_EQ(first.empty() ? none : first.front(), split.at("first_key")) << what;
        EXPECT_EQ(last.empty() ? none : last.back(), split.at("last_key")) << what;
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 14);
}

INSTANTIATE_TEST_SUITE_P(Tfds, Inspected, testing::Values("tfds_synth", "tfds_fake", "tfds"));

TEST(Inspect, CountsSizesAndBytes) {
  const fs::path data = shared_data() / "tfds";
  MARQUEE_NEEDS(data);
  const json found = to_json(inspect_task(find_task("eurosat"), data, silent));
  const json expected = read_json(shared_data() / "expected/tfds/eurosat.json");
  std::uint64_t bytes = 0;
  for (const char* split : {"train", "val", "test"}) {
    const json& part = found.at("splits").at(split);
    EXPECT_EQ(part.at("image_sizes"), (json{{"64x64", part.at("examples")}}));
    bytes += part.at("bytes").get<std::uint64_t>();
  }
  EXPECT_EQ(bytes, expected.at("splits").at("train").at("num_bytes").get<std::uint64_t>());
  EXPECT_EQ(found.at("splits").at("train").at("bytes").get<std::uint64_t>() +
                found.at("splits").at("val").at("bytes").get<std::uint64_t>(),
            found.at("splits").at("trainval").at("bytes").get<std::uint64_t>());
}

TEST(Inspect, ReadsVtab1kFolders) {
  const fs::path data = shared_data() / "vtab1k";
  MARQUEE_NEEDS(data);
  const json found = to_json(inspect_task(find_task("eurosat"), data, silent));
  EXPECT_EQ(found.at("version"), "vtab1k");
  EXPECT_EQ(found.at("splits").size(), 4u);
  EXPECT_EQ(found.at("splits").at("train800").at("examples"), 800);
  EXPECT_EQ(found.at("splits").at("val200").at("image_sizes"), (json{{"64x64", 200}}));
}

// A copy of a small set that may be damaged.
class Verified : public testing::Test {
 protected:
  void SetUp() override {
    const auto source = shared_data() / "tfds_synth/eurosat";
    MARQUEE_NEEDS(source);
    fs::create_directories(data());
    fs::copy(source, data() / "eurosat", fs::copy_options::recursive);
    for (const auto& entry : fs::recursive_directory_iterator(data()))
      fs::permissions(entry.path(), fs::perms::owner_all);
  }
  fs::path data() const { return folder_.path() / "data"; }
  fs::path shard(int number) const {
    return data() /
           ("eurosat/rgb/2.0.0/eurosat-train.tfrecord-0000" + std::to_string(number) + "-of-00003");
  }
  void damage(int number, std::streamoff at, const std::string& bytes) {
    std::fstream file(shard(number), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at);
    file << bytes;
  }
  Verification verified(int threads = 2) const {
    return verify_task(find_task("eurosat"), data(), threads, silent);
  }
  cluster::TemporaryFolder folder_;
};

TEST_F(Verified, AWholeSetIsWhole) {
  const Verification found = verified();
  EXPECT_EQ(found.examples, 60u);
  EXPECT_TRUE(found.broken.empty());
  std::uint64_t bytes = 0;
  for (int i = 0; i < 3; ++i) bytes += fs::file_size(shard(i));
  EXPECT_EQ(found.bytes, bytes);
}

TEST_F(Verified, NamesEveryBrokenRecordAndGoesOn) {
  const TfRecordFile records(shard(1));
  const auto middle = [&](std::size_t record) {
    const RecordPlace& place = records.places().at(record);
    return static_cast<std::streamoff>(place.offset + place.length / 2);
  };
  damage(1, middle(3), "damage");
  damage(1, middle(7), "damage");
  for (const int threads : {1, 4}) {
    const Verification found = verified(threads);
    EXPECT_EQ(found.examples, 60u);
    ASSERT_EQ(found.broken.size(), 2u);
    EXPECT_EQ(found.broken[0].file, shard(1).string());
    EXPECT_EQ(found.broken[0].record, 3u);
    EXPECT_EQ(found.broken[0].offset, records.places()[3].offset);
    EXPECT_EQ(found.broken[0].reason, "checksum of its data is wrong (damaged)");
    EXPECT_EQ(found.broken[1].record, 7u);
    EXPECT_EQ(to_text(found.broken[1]), shard(1).string() + ": record 7 at byte " +
                                            std::to_string(records.places()[7].offset) +
                                            ": checksum of its data is wrong (damaged)");
  }
}

TEST_F(Verified, ReportsABrokenShardAndReadsTheOthers) {
  fs::resize_file(shard(0), fs::file_size(shard(0)) - 3);
  fs::remove(shard(2));
  const Verification found = verified();
  EXPECT_EQ(found.examples, 39u);
  ASSERT_EQ(found.broken.size(), 3u);
  EXPECT_NE(found.broken[0].reason.find("truncated"), std::string::npos);
  EXPECT_EQ(found.broken[0].record, 19u);
  EXPECT_EQ(found.broken[1].reason, "holds 19 records, dataset_info.json declares 20");
  EXPECT_EQ(found.broken[2].file, shard(2).string());
  EXPECT_EQ(found.broken[2].reason, "is missing, dataset_info.json declares it");
}

TEST_F(Verified, GoesOnBehindABrokenLength) {
  const std::vector<RecordPlace> places = TfRecordFile(shard(1)).places();
  damage(1, static_cast<std::streamoff>(places[4].offset), "damage");
  damage(1, static_cast<std::streamoff>(places[9].offset + 8), "crc!");
  damage(1, static_cast<std::streamoff>(places[11].offset + places[11].length / 2), "damage");
  const Verification found = verified();
  EXPECT_EQ(found.examples, 58u);
  ASSERT_EQ(found.broken.size(), 4u);
  EXPECT_EQ(found.broken[0].offset, places[4].offset);
  EXPECT_NE(found.broken[0].reason.find("the next record begins at byte " +
                                        std::to_string(places[5].offset)),
            std::string::npos)
      << found.broken[0].reason;
  EXPECT_EQ(found.broken[1].offset, places[9].offset);
  EXPECT_EQ(found.broken[2].offset, places[11].offset);
  EXPECT_NE(found.broken[3].reason.find("holds 18 records"), std::string::npos);
}

// Every file of the shared folder in place of a shard of 5 records: whatever is in it is told, and
// the other shards are read.
TEST_F(Verified, TellsOfEveryCorruptFileInPlaceOfAShard) {
  const fs::path corrupt = shared_data() / "corrupt_tfrecord";
  MARQUEE_NEEDS(corrupt);
  int damaged = 0;
  const json expected = read_json(corrupt / "expected.json");
  for (const auto& [name, content] : expected.at("files").items()) {
    fs::copy_file(corrupt / name, shard(1), fs::copy_options::overwrite_existing);
    const Verification found = verified();
    const json& wanted = content.at("wanted");
    const auto records = wanted.at("records").get<std::size_t>();
    // Records behind the damage are read as well.
    EXPECT_GE(found.examples, 40 + records) << name;
    const bool sound = !wanted.contains("error") || wanted.at("error").is_boolean();
    std::size_t told = 0;
    for (const Broken& each : found.broken) {
      EXPECT_EQ(each.file, shard(1).string()) << name;
      if (each.reason.starts_with("holds ")) continue;
      ASSERT_TRUE(each.record && each.offset) << name;
      if (!name.starts_with("payload_") && !sound) {
        EXPECT_EQ(each.record, records) << to_text(each);
      }
      ++told;
    }
    if (sound) continue;
    EXPECT_EQ(told, 1u) << name;
    ++damaged;
  }
  EXPECT_GT(damaged, 10);
}

TEST(Export, AVtab1kFolderEqualsTheOneThatPapersPassRound) {
  const fs::path data = shared_data() / "tfds", round = shared_data() / "vtab1k/eurosat";
  MARQUEE_NEEDS(data);
  MARQUEE_NEEDS(round);
  const cluster::TemporaryFolder folder;
  const TaskInfo& task = find_task("eurosat");
  DataFolder as_tensorflow = data;
  as_tensorflow.fast_dct = true;
  EXPECT_EQ(export_vtab1k(task, as_tensorflow, folder.path(), silent), 0u);
  for (const fs::path& list : vtab1k_lists(task, round.parent_path())) {
    const auto wanted = open_vtab1k(task, list.stem().string(), round.parent_path());
    const auto found = open_vtab1k(task, list.stem().string(), folder.path());
    ASSERT_GE(found->size(), wanted->size()) << list;
    // The shared copy's test is cut.
    if (list.stem() != "test") {
      ASSERT_EQ(found->size(), wanted->size()) << list;
    }
    for (std::size_t i = 0; i < wanted->size(); ++i) {
      ASSERT_EQ(found->id(i), wanted->id(i));
      ASSERT_EQ(found->label(i), wanted->label(i)) << list << " " << i;
      ASSERT_EQ(found->image_bytes(i), wanted->image_bytes(i)) << list << " " << i;
    }
  }
}

TEST_F(Verified, AnImageFolderHoldsTheStoredBytesByClass) {
  const TaskInfo& task = find_task("eurosat");
  const fs::path to = folder_.path() / "images";
  EXPECT_EQ(export_image_folder(task, {"train", "test"}, data(), to, silent), 0u);
  const auto dataset = open_dataset(task, "test", data());
  std::multiset<std::string> stored, written;
  for (std::size_t i = 0; i < dataset->size(); ++i) stored.insert(dataset->image_bytes(i));
  for (const auto& entry : fs::recursive_directory_iterator(to / "test"))
    if (entry.is_regular_file()) written.insert(read_bytes(entry.path()));
  EXPECT_EQ(stored, written);
  EXPECT_TRUE(fs::is_directory(to / "train/AnnualCrop"));
  try {
    export_image_folder(task, {"train"}, data(), to, silent);
    ADD_FAILURE() << "written over";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
  }
}

TEST_F(Verified, AnExportThatFailsLeavesNothing) {
  damage(2, 3000, std::string(2000, 'x'));
  const fs::path to = folder_.path() / "out";
  EXPECT_THROW(export_vtab1k(find_task("eurosat"), data(), to, silent), cluster::Error);
  EXPECT_FALSE(fs::exists(to / "eurosat"));
  EXPECT_TRUE(!fs::exists(to) || fs::is_empty(to));
}

}  // namespace
}  // namespace marquee::datasets
