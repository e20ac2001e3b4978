// Every task read from small sets that TFDS wrote: labels, order, slices and pixels.
#include "datasets/tfds.h"

#include <algorithm>
#include <regex>
#include <set>
#include <span>

#include "cluster/error.h"
#include "cluster/sha256.h"
#include "datasets/dataset_hash.h"
#include "datasets/decode.h"
#include "datasets/image_size.h"
#include "datasets/tfds_example.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/datasets/shared_data.h"

namespace marquee::datasets {
namespace {

// An expected label of null: the rule has no class for the image.
int label_of(const nlohmann::json& value) {
  return value.is_null() ? kNoLabel : value.get<int>();
}

void expect_same_labels(const std::filesystem::path& data, const std::string& task,
                        const std::string& split, const nlohmann::json& expected) {
  const auto dataset = open_dataset(find_task(task), split, data);
  const auto& labels = expected.at("labels");
  const int num_classes = find_task(task).num_classes;
  ASSERT_EQ(dataset->size(), labels.size()) << task << " " << split;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    ASSERT_EQ(dataset->raw_label(i), label_of(labels[i])) << task << " " << split << " " << i;
    const bool is_class = dataset->raw_label(i) >= 0 && dataset->raw_label(i) < num_classes;
    ASSERT_EQ(dataset->label(i), is_class ? dataset->raw_label(i) : -1) << task << " " << split;
  }
}

void expect_iteration_order(const std::filesystem::path& data, const std::string& task,
                            const std::string& split, const nlohmann::json& expected) {
  if (!expected.contains("labels_tfds_iteration_order")) return;
  const auto& labels = expected.at("labels_tfds_iteration_order");
  const auto dataset = open_dataset(find_task(task), split, data);
  const std::vector<std::size_t> order = dataset->iteration_order();
  ASSERT_EQ(order.size(), labels.size()) << task << " " << split;
  for (std::size_t i = 0; i < labels.size(); ++i)
    ASSERT_EQ(dataset->raw_label(order[i]), label_of(labels[i]))
        << task << " " << split << " " << i;
}

// Ids of a split: those of the stored examples that its slices name, clipped as Python does.
void expect_same_ids(const std::filesystem::path& data, const std::string& task,
                     const std::string& split, const nlohmann::json& slices,
                     const nlohmann::json& stored) {
  const auto dataset = open_dataset(find_task(task), split, data);
  const std::regex form("([a-z]+)\\[([0-9]+):([0-9]+)\\]");
  std::size_t row = 0;
  for (const auto& slice : slices) {
    const auto text = slice.get<std::string>();
    std::smatch parts;
    ASSERT_TRUE(std::regex_match(text, parts, form)) << text;
    const auto& examples = stored.at(parts[1]).at("examples");
    for (std::size_t i = std::stoul(parts[2]); i < std::stoul(parts[3]) && i < examples.size();
         ++i, ++row) {
      ASSERT_LT(row, dataset->size()) << task << " " << split;
      const auto& key = examples[i].at("key");
      ASSERT_EQ(dataset->id(row), key.is_null() ? std::to_string(row) : key.get<std::string>())
          << task << " " << split << " " << row;
    }
  }
  EXPECT_EQ(dataset->size(), row) << task << " " << split;
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
        expect_iteration_order(data, task, split, wanted);
        // Slices that a small set does not have are clipped, as the expected files do; TFDS itself
        // refuses them.
        expect_same_labels(data, task, split, wanted);
        expect_same_ids(data, task, split, wanted.at("slices"), content.at("splits"));
        tasks.insert(task);
      }
    }
  }
  EXPECT_EQ(tasks.size(), 19u);
}

INSTANTIATE_TEST_SUITE_P(Tfds, SmallSets, testing::Values("tfds_synth", "tfds_fake"));

std::string sha256_of(const std::string& bytes) {
  return cluster::sha256_hex(bytes);
}

std::vector<double> mean_rgb(const Image& image) {
  std::vector<double> mean(3, 0);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) mean[i % 3] += image.rgb[i];
  for (double& channel : mean) channel *= 3 / static_cast<double>(image.rgb.size());
  return mean;
}

void expect_near(const std::vector<double>& found, const nlohmann::json& wanted,
                 const std::string& what) {
  constexpr double kWritten = 1e-4;  // the files give four digits
  for (std::size_t channel = 0; channel < 3; ++channel)
    EXPECT_NEAR(found[channel], wanted.at(channel).get<double>(), kWritten) << what;
}

// Bytes, shape and pixels of one example by both decoders.
void expect_image(const Dataset& dataset, std::size_t i, const nlohmann::json& wanted,
                  const std::string& what) {
  const std::string bytes = dataset.image_bytes(i);
  EXPECT_EQ(bytes.size(), wanted.at("bytes").get<std::size_t>()) << what;
  EXPECT_EQ(sha256_of(bytes), wanted.at("sha256_bytes")) << what;
  const Image image = dataset.image(i);
  EXPECT_EQ(image.height, wanted.at("stored_shape").at(0)) << what;
  EXPECT_EQ(image.width, wanted.at("stored_shape").at(1)) << what;
  EXPECT_EQ(rgb_hash(image), wanted.at("sha256_rgb")) << what;
  expect_near(mean_rgb(image), wanted.at("mean_rgb"), what);
  const auto declared = declared_image_size(std::as_bytes(std::span(bytes.data(), bytes.size())));
  EXPECT_EQ(declared, std::pair(image.height, image.width)) << what;
  if (!wanted.contains("mean_rgb_fast_idct")) return;
  DecodeOptions fast;
  fast.fast_dct = true;
  const Image darker = decode_image(std::as_bytes(std::span(bytes.data(), bytes.size())), fast);
  expect_near(mean_rgb(darker), wanted.at("mean_rgb_fast_idct"), what + ", TensorFlow's decoding");
}

// The stored splits, also those that no task uses, as TFDS itself reads them.
class StoredSplits : public testing::TestWithParam<const char*> {};

TEST_P(StoredSplits, HoldTheExpectedExamples) {
  const auto data = shared_data() / GetParam();
  const auto expected = shared_data() / "expected" / GetParam();
  MARQUEE_NEEDS(expected);
  int examples = 0;
  std::set<std::string> tasks;
  for (const auto& entry : std::filesystem::directory_iterator(expected)) {
    const auto content = read_json(entry.path());
    for (const auto& [task_name, splits] : content.at("tasks").items()) {
      const TaskInfo& task = find_task(task_name);
      tasks.insert(task_name);
      const TfdsFolder folder = open_tfds_folder(task, data);
      EXPECT_EQ(folder.version, content.at("version")) << task_name;
      EXPECT_EQ(folder.splits.size(), content.at("splits").size()) << task_name;
      for (const auto& [name, wanted] : content.at("splits").items()) {
        const std::string what = task_name + " " + name;
        const TfdsSplit& split = folder.splits.at(name);
        EXPECT_EQ(split.shard_lengths, wanted.at("shard_lengths").get<std::vector<std::int64_t>>())
            << what;
        EXPECT_EQ(split.bytes, wanted.at("num_bytes").get<std::int64_t>()) << what;
        std::vector<std::string> files;
        for (const auto& file : split.files) files.push_back(file.filename().string());
        EXPECT_EQ(files, wanted.at("files").get<std::vector<std::string>>()) << what;

        const auto dataset = open_tfds(task, {{name}}, data);
        ASSERT_EQ(dataset->size(), wanted.at("num_examples").get<std::size_t>()) << what;
        cluster::Sha256 digests;
        std::uint64_t bytes = 0;
        for (std::size_t i = 0; i < dataset->size(); ++i) {
          const std::string hex = sha256_of(dataset->image_bytes(i));
          for (std::size_t at = 0; at < hex.size(); at += 2)
            digests.update(
                std::string(1, static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16))));
          bytes += dataset->stored_bytes(i);
        }
        EXPECT_EQ(digests.hex(), wanted.at("sha256_of_image_digests")) << what;
        EXPECT_EQ(bytes, wanted.at("num_bytes").get<std::uint64_t>()) << what;
        const bool all = wanted.contains("examples");
        for (const auto& example : wanted.at(all ? "examples" : "first_images")) {
          const auto i = example.at("i").get<std::size_t>();
          const std::string where = what + " " + std::to_string(i);
          const auto& key = example.at("key");
          EXPECT_EQ(dataset->has_ids(), !key.is_null()) << where;
          EXPECT_EQ(dataset->id(i), key.is_null() ? std::to_string(i) : key.get<std::string>())
              << where;
          const auto& label = example.at("labels").at(task_name);
          EXPECT_EQ(dataset->raw_label(i), label.is_null() ? kNoLabel : label.get<int>()) << where;
          expect_image(*dataset, i, example.at("image"), where);
          ++examples;
        }
      }
    }
  }
  EXPECT_GE(examples, 64);
  EXPECT_EQ(tasks.size(), std::string(GetParam()) == "tfds" ? 2u : 19u);
}

INSTANTIATE_TEST_SUITE_P(Tfds, StoredSplits, testing::Values("tfds_synth", "tfds_fake", "tfds"));

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
    if (wanted.contains("keys")) {
      for (std::size_t i = 0; i < dataset->size(); ++i)
        ASSERT_EQ(dataset->id(i), wanted.at("keys").at(i)) << split << " " << i;
    }
    if (!wanted.contains("sha256_of_lines")) continue;
    cluster::Sha256 lines;
    for (std::size_t i = 0; i < dataset->size(); ++i)
      lines.update(dataset->id(i) + "\t" + std::to_string(dataset->label(i)) + "\n");
    EXPECT_EQ(lines.hex(), wanted.at("sha256_of_lines")) << split;
  }
}

TEST_P(RealSets, IterateAsTfdsDoes) {
  MARQUEE_NEEDS(data() / GetParam());
  const auto content = expected();
  int compared = 0;
  for (const auto& [split, wanted] : content.at("tasks").at(GetParam()).at("splits").items()) {
    expect_iteration_order(data(), GetParam(), split, wanted);
    if (!wanted.contains("keys_tfds_iteration_order")) continue;
    const auto dataset = open_dataset(find_task(GetParam()), split, data());
    const std::vector<std::size_t> order = dataset->iteration_order();
    for (std::size_t i = 0; i < order.size(); ++i)
      ASSERT_EQ(dataset->id(order[i]), wanted.at("keys_tfds_iteration_order").at(i)) << split;
    ++compared;
  }
  EXPECT_GE(compared, 1);
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

// ---- the index cache
// -----------------------------------------------------------------------------

class IndexCache : public testing::Test {
 protected:
  void SetUp() override {
    const auto source = shared_data() / "tfds_synth" / "clevr";
    MARQUEE_NEEDS(source);
    std::filesystem::create_directories(data());
    std::filesystem::copy(source, data() / "clevr", std::filesystem::copy_options::recursive);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data()))
      std::filesystem::permissions(entry.path(), std::filesystem::perms::owner_all);
  }
  std::filesystem::path data() const { return folder_.path() / "data"; }
  std::filesystem::path cache() const { return folder_.path() / "cache"; }
  std::unique_ptr<Dataset> open(const char* task = "clevr_count") const {
    return open_dataset(find_task(task), "train", {data(), cache()});
  }
  std::vector<std::filesystem::path> indexes() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(cache()))
      files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
  }
  cluster::TemporaryFolder folder_;
};

TEST_F(IndexCache, GivesTheSameAsTheShardsThemselves) {
  const auto plain = open_dataset(find_task("clevr_count"), "train", data());
  const auto made = open(), kept = open();
  ASSERT_EQ(kept->size(), plain->size());
  EXPECT_EQ(labels_of(*made), labels_of(*plain));
  EXPECT_EQ(labels_of(*kept), labels_of(*plain));
  for (std::size_t i = 0; i < plain->size(); ++i) {
    EXPECT_EQ(kept->id(i), plain->id(i));
    EXPECT_EQ(kept->image(i), plain->image(i));
  }
  // One file a shard serves both tasks of the data set.
  const std::size_t shards = indexes().size();
  const auto distance = open("clevr_distance");
  EXPECT_EQ(indexes().size(), shards);
  EXPECT_EQ(labels_of(*distance),
            labels_of(*open_dataset(find_task("clevr_distance"), "train", data())));
}

TEST_F(IndexCache, ReachesAnExampleWithoutReadingThoseBeforeIt) {
  open();
  // Damage in front of the last record is not seen any more: nothing of it is read.
  const auto shard = data() / "clevr/3.1.0/clevr-train.tfrecord-00000-of-00003";
  const auto time = std::filesystem::last_write_time(shard);
  {
    std::fstream file(shard, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(300);
    file << "damage";
  }
  std::filesystem::last_write_time(shard, time);
  const auto dataset = open();
  EXPECT_NO_THROW(dataset->image(15));
  EXPECT_THROW(dataset->image(0), cluster::Error);
}

TEST_F(IndexCache, IsMadeAgainForAnotherShardAndWhenItIsDamaged) {
  open();
  const auto before = indexes();
  const auto first = read_bytes(before.at(0));
  std::ofstream(before[0], std::ios::binary) << first.substr(0, first.size() / 2);
  std::ofstream(before.at(1), std::ios::binary) << "no index";
  EXPECT_EQ(labels_of(*open()),
            labels_of(*open_dataset(find_task("clevr_count"), "train", data())));
  EXPECT_EQ(read_bytes(before[0]), first);
  // Another shard under the same name: records of the second one.
  const auto folder = data() / "clevr/3.1.0";
  std::filesystem::copy_file(folder / "clevr-train.tfrecord-00001-of-00003",
                             folder / "clevr-train.tfrecord-00000-of-00003",
                             std::filesystem::copy_options::overwrite_existing);
  const auto changed = open();
  EXPECT_EQ(changed->id(0), changed->id(20));
}

TEST(TfdsFolder, TakesTheVersionThatVtabAsksForThenOneOfTheSameContent) {
  const TaskInfo& kitti = find_task("kitti_closest_vehicle_distance");
  const cluster::TemporaryFolder folder;
  const auto add = [&](const char* builder, const char* version) {
    const auto path = folder.path() / builder / version;
    std::filesystem::create_directories(path);
    std::ofstream(path / "dataset_info.json")
        << R"({"splits": [{"name": "train", "shardLengths": ["1"]}]})";
  };
  const auto chosen = [&](const TaskInfo& task) {
    const TfdsFolder found = open_tfds_folder(task, folder.path());
    return found.version + (found.as_asked ? "" : " with a warning");
  };
  add("kitti", "4.0.0");
  add("kitti", "nonsense");
  EXPECT_EQ(chosen(kitti), "4.0.0 with a warning");
  add("kitti", "3.3.0");
  EXPECT_EQ(chosen(kitti), "3.3.0");
  add("kitti", "3.1.0");
  EXPECT_EQ(chosen(kitti), "3.1.0");
  add("eurosat/rgb", "2.0.0");
  add("eurosat/rgb", "2.10.1");
  add("eurosat/rgb", "2.9.0");
  add("eurosat/rgb", "3.0.0");
  EXPECT_EQ(chosen(find_task("eurosat")), "2.10.1");
}

TEST(TfdsFolder, ReadsTheOldFormsOfDatasetInfo) {
  const auto metadata = shared_data() / "tfds_old/metadata";
  MARQUEE_NEEDS(metadata);
  int read = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(metadata)) {
    if (entry.path().filename() != "dataset_info.json") continue;
    const auto path = entry.path().parent_path();
    const std::string builder = path.parent_path().lexically_relative(metadata).string();
    for (const TaskInfo& task : all_tasks()) {
      if (task.builder != builder) continue;
      const TfdsFolder folder = read_tfds_folder(task, path);
      const auto content = read_json(entry.path());
      for (const auto& split : content.at("splits")) {
        const TfdsSplit& found = folder.splits.at(split.at("name"));
        EXPECT_EQ(found.size(),
                  std::stoll(split.at("statistics").at("numExamples").get<std::string>()))
            << path;
        if (!split.contains("shardLengths")) {
          EXPECT_EQ(found.files.size(), std::stoul(split.at("numShards").get<std::string>()));
        }
        ++read;
      }
      break;
    }
  }
  EXPECT_GT(read, 30);
}

// What TFDS 1 wrote: shards are counted, not what is in them.
TEST(TfdsFolder, CountsTheRecordsOfShardsWithoutLengths) {
  const auto source = shared_data() / "tfds_synth" / "eurosat/rgb/2.0.0";
  MARQUEE_NEEDS(source);
  const cluster::TemporaryFolder folder;
  const auto path = folder.path() / "eurosat/rgb/2.0.0";
  std::filesystem::create_directories(path.parent_path());
  std::filesystem::copy(source, path);
  const auto open_with = [&](const std::string& split) {
    std::filesystem::remove(path / "dataset_info.json");
    std::ofstream(path / "dataset_info.json") << R"({"splits": [)" << split << "]}";
    return open_tfds(find_task("eurosat"), {{"train"}}, folder.path());
  };
  EXPECT_EQ(open_with(R"({"name": "train", "numShards": "3", "statistics": {"numExamples": "60"}})")
                ->size(),
            60u);
  EXPECT_THROW(
      open_with(R"({"name": "train", "numShards": "3", "statistics": {"numExamples": "61"}})"),
      cluster::Error);
  // The newer form names the files itself.
  EXPECT_EQ(open_with(R"({"name": "train", "shardLengths": ["20", "20", "20"],
      "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_INDEX}-of-{NUM_SHARDS}"})")
                ->size(),
            60u);
  for (const char* wrong : {R"("../{SHARD_X_OF_Y}")", R"("always_the_same")", "7"}) {
    EXPECT_THROW(open_with(std::string(R"({"name": "train", "shardLengths": ["20", "20", "20"],
                     "filepathTemplate": )") +
                           wrong + "}"),
                 cluster::Error)
        << wrong;
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
