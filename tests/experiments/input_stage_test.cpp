// What a run reads, from copies: the same files under the same names, or the source where nothing
// can be copied.
#include "experiments/input_stage.h"

#include <fstream>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/sha256.h"
#include "datasets/dataset_hash.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"
#include "experiments/feature_manifest.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;
using cluster::ErrorKind;

void none(std::int64_t, std::int64_t) {}

void write(const fs::path& file, const std::string& content) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
}

class InputStageTest : public testing::Test {
 protected:
  // A base whose feature network belongs to another one, the FID Inception, and a folder of images.
  InputStageTest() {
    nlohmann::json files;
    for (const char* name : {"tokenizer", "transformer", "features"}) {
      const std::string content = std::string("weights of the ") + name;
      const bool other = std::string(name) == "features";
      const std::string file = std::string(name) + ".safetensors";
      write(assets() / (other ? "other" : "own") / file, content);
      files[name] = {{"file", file},
                     {"sha256", cluster::sha256_hex(content)},
                     {"bytes", content.size()},
                     {"numbers", 1},
                     {"config", nlohmann::json::object()}};
      if (other) files[name].update({{"from", "other"}, {"version", "other-v0"}});
    }
    write(assets() / "own/manifest.json",
          nlohmann::json{{"name", "own"}, {"version", "own-v0"}, {"files", files}}.dump());
    FeatureManifest network;
    network.name = network.kind = kInceptionNetwork;
    network.folder = feature_folder(assets(), network.name);
    network.sha256 = network.source_sha256 = cluster::sha256_hex("the network");
    write(network.weights(), "the network");
    write(network.folder / "manifest.json", to_json(network).dump());
    for (int i = 0; i < 20; ++i)
      write(data() / "images" / (i % 2 ? "a" : "b") / (std::to_string(i) + ".png"), "image");

    run_.task = "folder/images";
    run_.shots = "1";
    run_.method = "prompt";
    run_.base = "own";
    run_.protocol = "vtab";
    run_.base_hash = base_hash(load_base_manifest(assets(), "own"));
    run_.network_hash = network.hash();
    run_.data_hash = hash_of_data();
  }
  fs::path assets() const { return folder_.path() / "assets"; }
  fs::path data() const { return folder_.path() / "data"; }
  std::string hash_of_data() const {
    return datasets::dataset_content_hash(datasets::find_task("folder/images"), data());
  }
  cluster::StagePlace place(std::int64_t limit = 0) const {
    return {folder_.path() / "stage", limit};
  }
  InputFolders source() const { return {data(), assets(), assets()}; }
  StagedInputs take(std::int64_t limit = 0) {
    return InputStage().take(place(limit), run_, source(), none);
  }
  void expect_refused(const std::string& part) {
    try {
      take();
      ADD_FAILURE() << "accepted; expected '" << part << "'";
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::environment);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }

  cluster::TemporaryFolder folder_;
  RunConfig run_;
};

TEST_F(InputStageTest, HoldsWhatTheRunReads) {
  const StagedInputs staged = take();
  const fs::path stage = fs::canonical(place().folder);
  for (const fs::path& folder : {staged.folders.data, staged.folders.base, staged.folders.networks})
    EXPECT_TRUE(fs::canonical(folder).string().starts_with(stage.string() + "/")) << folder;
  const BaseManifest base = load_base_manifest(staged.folders.base, "own");
  verify_base(base);
  EXPECT_EQ(base_hash(base), run_.base_hash);
  const FeatureManifest network = load_feature_manifest(staged.folders.networks, kInceptionNetwork);
  verify_features(network);
  EXPECT_EQ(network.hash(), run_.network_hash);
  EXPECT_EQ(datasets::dataset_content_hash(datasets::find_task(run_.task), staged.folders.data),
            run_.data_hash);
}

TEST_F(InputStageTest, WithoutAPlaceNothingIsCopied) {
  EXPECT_EQ(InputStage().take({}, run_, source(), none).folders, source());
  run_.task = "drawn/shapes_count";
  run_.protocol = "mini-v1";  // the base's own network
  const StagedInputs staged = take();
  EXPECT_EQ(staged.uses.size(), 1u) << "the base alone";
  EXPECT_EQ(staged.folders.data, data());
  EXPECT_EQ(staged.folders.networks, assets());
}

TEST_F(InputStageTest, IsTheSourceWhereNothingCanBeCopied) {
  const StagedInputs small = take(/*limit=*/60);  // less than the images have
  EXPECT_EQ(small.folders.data, data());
  EXPECT_EQ(InputStage().take({"/proc/nowhere", 0}, run_, source(), none).folders, source());
}

TEST_F(InputStageTest, TasksOfOneDataSetShareTheirCopy) {
  const StagedInputs first = take();
  run_.seed = 5;
  run_.method = "finetune";
  EXPECT_EQ(take().folders, first.folders);
}

TEST_F(InputStageTest, RefusesOtherDataAndDamagedWeights) {
  run_.data_hash = std::string(64, '0');
  expect_refused("other data");
  run_.data_hash = hash_of_data();
  write(assets() / "own/tokenizer.safetensors", "weights of the tokenizeR");
  expect_refused("tokenizer.safetensors");
  fs::remove(assets() / "other/features.safetensors");
  expect_refused("features.safetensors");
}

}  // namespace
}  // namespace marquee::experiments
