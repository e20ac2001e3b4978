// TFDS folders with odd or damaged contents: what is legal is read, the rest is an error that names
// the file.
#include <algorithm>

#include "cluster/error.h"
#include "datasets/tfds.h"
#include "datasets/tfds_features.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/datasets/shared_data.h"

namespace marquee::datasets {
namespace {

using cluster::TemporaryFolder;

// A TFDS folder of the task eurosat whose only shard is a copy of `shard`.
class OneShard {
 public:
  OneShard(const std::filesystem::path& shard, int declared)
      : OneShard(shard, R"({"name": "eurosat", "splits": [{"name": "train", "shardLengths": [")" +
                            std::to_string(declared) + R"("]}]})") {}
  OneShard(const std::filesystem::path& shard, const std::string& info) {
    const auto version = folder_.path() / "eurosat/rgb/2.0.0";
    std::filesystem::create_directories(version);
    std::ofstream(version / "dataset_info.json") << info;
    std::ofstream(version / kShard, std::ios::binary) << read_bytes(shard);
  }
  std::unique_ptr<Dataset> open() const {
    return open_tfds(find_task("eurosat"), {{"train"}}, folder_.path());
  }
  // What opening throws; "" when it does not.
  std::string error() const {
    try {
      open();
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
      return error.what();
    }
    return "";
  }
  static constexpr const char* kShard = "eurosat-train.tfrecord-00000-of-00001";

 private:
  TemporaryFolder folder_;
};

std::filesystem::path file_of(const std::string& name) {
  return shared_data() / "corrupt_tfrecord" / name;
}

struct OddPayload {
  const char* name;
  std::vector<int> labels;
};

class LegalPayload : public testing::TestWithParam<OddPayload> {};

TEST_P(LegalPayload, GivesItsLabels) {
  const auto file = file_of(GetParam().name);
  MARQUEE_NEEDS(file);
  const OneShard data(file, static_cast<int>(GetParam().labels.size()));
  EXPECT_EQ(labels_of(*data.open()), GetParam().labels);
}

INSTANTIATE_TEST_SUITE_P(Protobuf, LegalPayload,
                         testing::Values(OddPayload{"valid.tfrecord", {0, 1, 2, 3, 4}},
                                         OddPayload{"payload_unpacked_lists.tfrecord", {3, 3}},
                                         OddPayload{"payload_duplicate_key.tfrecord", {2}},
                                         OddPayload{"payload_unknown_fields.tfrecord", {3}},
                                         OddPayload{"payload_two_features_messages.tfrecord", {3}}),
                         [](const auto& tested) {
                           std::string name = tested.param.name;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); },
                               '_');
                           return name;
                         });

// Our words for what an expected file names.
std::string words_for(const std::string& wanted) {
  const std::pair<const char*, const char*> words[] = {
      {"truncated", ": truncated: "},
      {"gzip", "compressed with gzip"},
      {"length checksum", "checksum of its length is wrong"},
      {"data checksum", "checksum of its data is wrong"},
      {"missing feature label", "has no feature 'label'"},
      {"wrong kind", "has 0 values of integer feature 'label'"},
      {"empty list", "has 0 values of integer feature 'label'"},
      {"parse", "is no tf.train.Example"}};
  for (const auto& [theirs, ours] : words)
    if (wanted.find(theirs) != std::string::npos) return ours;
  ADD_FAILURE() << "unknown error: " << wanted;
  return "";
}

TEST(CorruptTfRecords, GiveWhatTheirExpectedFileSays) {
  MARQUEE_NEEDS(shared_data() / "corrupt_tfrecord");
  const auto content = read_json(file_of("expected.json"));
  int read = 0, refused = 0;
  for (const auto& [name, expected] : content.at("files").items()) {
    const auto& wanted = expected.at("wanted");
    const auto records = wanted.at("records").get<std::size_t>();
    // A form that declares no counts: what is wrong with the file is found, not how many it holds.
    const OneShard data(file_of(name),
                        std::string(R"({"splits": [{"name": "train", "numShards": "1"}]})"));
    if (wanted.contains("error") && wanted.at("error").is_string()) {
      const std::string error = data.error();
      EXPECT_NE(error.find(words_for(wanted.at("error"))), std::string::npos)
          << name << ": " << error;
      EXPECT_NE(error.find(OneShard::kShard), std::string::npos) << error;
      // The records in front of broken framing are whole.
      const std::size_t broken = name.starts_with("payload_") ? 0 : records;
      EXPECT_NE(error.find("record " + std::to_string(broken) + " at byte"), std::string::npos)
          << name << ": " << error;
      ++refused;
    } else if (wanted.contains("second_record")) {
      EXPECT_NE(data.error().find("record 1 at byte"), std::string::npos) << data.error();
    } else if (wanted.contains("label") && wanted.at("label").size() != records) {
      // Legal for TFRecord, but a label is one number.
      EXPECT_NE(data.error().find("has " + std::to_string(wanted.at("label").size()) + " values"),
                std::string::npos)
          << data.error();
    } else {
      const auto dataset = data.open();
      EXPECT_EQ(dataset->size(), records) << name;
      if (wanted.contains("label")) {
        EXPECT_EQ(labels_of(*dataset), wanted.at("label").get<std::vector<int>>()) << name;
      }
      ++read;
    }
  }
  EXPECT_GE(read, 7);
  EXPECT_GE(refused, 20);
}

class DamagedPayload : public testing::TestWithParam<const char*> {};

TEST_P(DamagedPayload, IsAnErrorThatNamesTheFileAndTheRecord) {
  const auto file = file_of(GetParam());
  MARQUEE_NEEDS(file);
  const std::string error = OneShard(file, 1).error();
  EXPECT_NE(error.find(OneShard::kShard), std::string::npos) << error;
  EXPECT_NE(error.find("record 0"), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(Protobuf, DamagedPayload,
                         testing::Values("payload_missing_label.tfrecord",
                                         "payload_label_is_float.tfrecord",
                                         "payload_empty_label_list.tfrecord",
                                         "payload_mixed_packing.tfrecord",  // four labels
                                         "payload_not_protobuf.tfrecord",
                                         "payload_length_past_end.tfrecord",
                                         "payload_varint_too_long.tfrecord"),
                         [](const auto& tested) {
                           const std::string name = tested.param;
                           return name.substr(0, name.find('.'));
                         });

TEST(Payload, AMissingFeatureIsNamed) {
  const auto file = file_of("payload_missing_label.tfrecord");
  MARQUEE_NEEDS(file);
  const std::string error = OneShard(file, 1).error();
  EXPECT_NE(error.find("'label'"), std::string::npos) << error;
}

TEST(Shard, ThatIsShorterThanDeclaredIsAnErrorWithBothNumbers) {
  const auto file = file_of("cut_at_record_border.tfrecord");
  MARQUEE_NEEDS(file);
  const std::string error = OneShard(file, 5).error();
  EXPECT_NE(error.find(OneShard::kShard), std::string::npos) << error;
  EXPECT_NE(error.find("holds 3"), std::string::npos) << error;
  EXPECT_NE(error.find("declares 5"), std::string::npos) << error;
}

TEST(Shard, ThatIsLongerThanDeclaredIsAnError) {
  const auto file = file_of("valid.tfrecord");
  MARQUEE_NEEDS(file);
  EXPECT_NE(OneShard(file, 4).error().find("declares 4"), std::string::npos);
}

TEST(Shard, WithADamagedRecordIsAnErrorThatNamesIt) {
  const auto file = file_of("flipped_bit_in_data.tfrecord");
  MARQUEE_NEEDS(file);
  const std::string error = OneShard(file, 5).error();
  EXPECT_NE(error.find(OneShard::kShard), std::string::npos) << error;
  EXPECT_NE(error.find("record 2"), std::string::npos) << error;
}

class DamagedInfo : public testing::TestWithParam<const char*> {};

TEST_P(DamagedInfo, IsAnErrorThatNamesTheFile) {
  const TemporaryFolder empty;
  const std::string error = OneShard(empty.path() / "none", std::string(GetParam())).error();
  EXPECT_NE(error.find("dataset_info.json"), std::string::npos) << error;
}

// Found by fuzzing: nesting that exhausted the stack, shards and names that took gigabytes.
std::string nested(const std::string& before, const std::string& behind) {
  constexpr std::size_t kDepth = 100000;
  return before + std::string(kDepth, '[') + std::string(kDepth, ']') + behind;
}

TEST(TfdsInfo, ThatIsNestedTooDeepIsAnError) {
  const TemporaryFolder empty;
  for (const std::string& info :
       {nested(R"({"splits": [], "fileFormat": )", "}"), nested("", ""),
        nested(R"({"splits": [{"name": "train", "numShards": )", "}]}"),
        nested(R"({"splits": [{"name": "train", "shardLengths": [)", "]}]}")}) {
    const std::string error = OneShard(empty.path() / "none", info).error();
    EXPECT_NE(error.find("nested more than 64 deep"), std::string::npos) << error;
    EXPECT_NE(error.find("dataset_info.json"), std::string::npos) << error;
  }
}

TEST(TfdsInfo, CountsTheShardsOfAllSplits) {
  const TemporaryFolder empty;
  std::string splits = R"({"name": "train", "numShards": 99998})";
  const auto error = [&] {
    return OneShard(empty.path() / "none", "{\"splits\": [" + splits + "]}").error();
  };
  splits += R"(, {"name": "a", "numShards": 1}, {"name": "b", "shardLengths": [1]})";
  EXPECT_EQ(error().find("100000"), std::string::npos);
  splits += R"(, {"name": "c", "shardLengths": [1]})";
  EXPECT_NE(error().find("more than 100000 shards"), std::string::npos);
}

TEST(TfdsInfo, NamesNoFileThatAFileSystemRefuses) {
  const TemporaryFolder empty;
  const auto error = [&](const std::string& name, const std::string& form) {
    return OneShard(empty.path() / "none", R"({"splits": [{"name": ")" + name +
                                               R"(", "numShards": 1, "filepathTemplate": ")" +
                                               form + R"("}]})")
        .error();
  };
  EXPECT_NE(error(std::string(300, 's'), "").find("is not allowed"), std::string::npos);
  for (const char* form : {"..", "a/b", "a\\u0000b", "{SPLIT}.", "{SPLIT}{SPLIT}"}) {
    const std::string name = std::string_view(form) == "{SPLIT}." ? "." : std::string(200, 's');
    EXPECT_FALSE(error(name, form).empty()) << form;
  }
}

TEST(TfdsFeatures, ThatAreNestedTooDeepAreAnError) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "features.json")
      << nested(R"({"featuresDict": {"features": {"image": {"pythonClassName": "a.Image"},)"
                R"("label": {"classLabel": {"numClasses": )",
                "}}}}}");
  EXPECT_THROW(check_tfds_features(find_task("eurosat"), folder.path()), cluster::Error);
}

INSTANTIATE_TEST_SUITE_P(
    Tfds, DamagedInfo,
    testing::Values("", "{\"splits\": [", "[]", "{}", R"({"splits": {}})", R"({"splits": [7]})",
                    R"({"splits": [{"shardLengths": ["1"]}]})",
                    R"({"splits": [{"name": "", "shardLengths": ["1"]}]})",
                    R"({"splits": [{"name": "../train", "shardLengths": ["1"]}]})",
                    R"({"splits": [{"name": "train"}]})",
                    R"({"splits": [{"name": "train", "shardLengths": []}]})",
                    R"({"splits": [{"name": "train", "shardLengths": ["-1"]}]})",
                    R"({"splits": [{"name": "train", "shardLengths": [-1]}]})",
                    R"({"splits": [{"name": "train", "shardLengths": ["1e3"]}]})",
                    R"({"splits": [{"name": "train", "shardLengths": [1.5]}]})",
                    R"({"splits": [{"name": "train", "shardLengths": ["9999999999999999999"]}]})",
                    R"({"splits": [{"name": "train", "shardLengths": [999999999999]}]})",
                    R"({"splits": [{"name": "validation", "shardLengths": ["1"]}]})"));

TEST(TfdsFolder, ReadsTheOlderInfoFiles) {
  const auto data = shared_data() / "tfds_old/metadata";
  MARQUEE_NEEDS(data);
  const TfdsFolder folder = open_tfds_folder(find_task("eurosat"), data);
  EXPECT_EQ(folder.splits.at("train").size(), 27000);
  EXPECT_EQ(open_tfds_folder(find_task("dmlab"), data).splits.at("test").size(), 22735);
}

void add_version(const std::filesystem::path& data, const std::string& version) {
  const auto path = data / "eurosat/rgb" / version;
  std::filesystem::create_directories(path);
  std::ofstream(path / "dataset_info.json")
      << R"({"splits": [{"name": "train", "shardLengths": ["1"]}]})";
}

TEST(TfdsFolder, TakesTheNewestVersionByNumber) {
  const TemporaryFolder folder;
  for (const char* version : {"2.0.0", "2.10.0", "2.9.1", "3.0.0.incomplete", "notes"}) {
    add_version(folder.path(), version);
  }
  EXPECT_EQ(open_tfds_folder(find_task("eurosat"), folder.path()).path.filename(), "2.10.0");
}

TEST(TfdsFolder, PrefersAVersionOfTheAskedMajorNumber) {
  const TemporaryFolder folder;
  for (const char* version : {"2.0.0", "3.0.0"}) {
    add_version(folder.path(), version);
  }
  EXPECT_EQ(open_tfds_folder(find_task("eurosat"), folder.path()).path.filename(), "2.0.0");
}

TEST(TfdsFolder, TakesANewerMajorNumberWhenItIsAllThereIs) {
  const TemporaryFolder folder;
  add_version(folder.path(), "3.1.0");
  EXPECT_EQ(open_tfds_folder(find_task("eurosat"), folder.path()).path.filename(), "3.1.0");
}

TEST(TfdsFolder, WithoutAnyVersionIsAnErrorThatNamesIt) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "eurosat/rgb/2.0.0");
  try {
    open_tfds_folder(find_task("eurosat"), folder.path());
    FAIL() << "opened";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find((folder.path() / "eurosat/rgb").string()),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace marquee::datasets
