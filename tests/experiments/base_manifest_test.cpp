#include "experiments/base_manifest.h"

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/sha256.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::experiments {
namespace {

using nlohmann::json;

class Manifests : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(base());
    for (const char* network : {"tokenizer", "transformer", "features"}) {
      const std::string bytes = std::string("weights of the ") + network;
      const std::string file = std::string(network) + ".safetensors";
      cluster::write_file_durably(base() / file, bytes);
      content_["files"][network] = {{"file", file},
                                    {"sha256", cluster::sha256_hex(bytes)},
                                    {"bytes", bytes.size()},
                                    {"numbers", 1},
                                    {"config", {{"size", 3}}}};
    }
    content_["name"] = "tiny";
    content_["version"] = "tiny-v1";
  }
  std::filesystem::path base() const { return folder_.path() / "tiny"; }
  BaseManifest load() const {
    cluster::write_file_durably(base() / "manifest.json", content_.dump());
    return load_base_manifest(folder_.path(), "tiny");
  }
  static std::string refusal(const std::function<void()>& action) {
    try {
      action();
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
      return error.what();
    }
    return "";
  }
  cluster::TemporaryFolder folder_;
  json content_;
};

TEST_F(Manifests, AreReadAndVerified) {
  const BaseManifest manifest = load();
  EXPECT_EQ(manifest.version, "tiny-v1");
  EXPECT_NO_THROW(verify_base(manifest));
}

TEST_F(Manifests, NameAFileOfAnotherSizeOrContent) {
  const BaseManifest manifest = load();
  cluster::write_file_durably(base() / "features.safetensors", "weights of the featureX");
  EXPECT_NE(refusal([&] { verify_base(manifest); }).find("features.safetensors"),
            std::string::npos);
  cluster::write_file_durably(base() / "features.safetensors", "weights of the Features");
  EXPECT_NE(refusal([&] { verify_base(manifest); }).find("SHA-256"), std::string::npos);
  std::filesystem::remove(base() / "features.safetensors");
  EXPECT_NE(refusal([&] { verify_base(manifest); }).find("missing"), std::string::npos);
}

TEST_F(Manifests, RefuseFileNamesThatLeaveTheFolder) {
  for (const char* name : {"../other.safetensors", "/etc/passwd", "..", ""}) {
    content_["files"]["tokenizer"]["file"] = name;
    EXPECT_NE(refusal([&] { load(); }), "") << name;
  }
}

TEST_F(Manifests, NameAMissingKey) {
  content_["files"]["transformer"].erase("sha256");
  EXPECT_NE(refusal([&] { load(); }).find("sha256"), std::string::npos);
}

TEST_F(Manifests, NameTheFileThatIsMissing) {
  EXPECT_NE(refusal([&] { load_base_manifest(folder_.path(), "other"); }).find("manifest.json"),
            std::string::npos);
}

TEST_F(Manifests, HashWeightsAndSizes) {
  const BaseManifest before = load();
  content_["files"]["tokenizer"]["config"]["size"] = 4;
  const BaseManifest other = load();
  EXPECT_NE(base_hash(before), base_hash(other));
  EXPECT_EQ(network_hash(before), network_hash(other));
}

TEST_F(Manifests, TakeFilesThatAnotherBaseHolds) {
  content_["files"]["features"]["from"] = "other";
  content_["files"]["features"]["version"] = "other-v3";
  const BaseManifest manifest = load();
  EXPECT_EQ(weight_path(manifest, manifest.files.at("features")),
            folder_.path() / "other" / "features.safetensors");
  EXPECT_EQ(features_version(manifest), "other-v3");
  EXPECT_NE(refusal([&] { verify_base(manifest); }).find("other/features.safetensors"),
            std::string::npos);
  std::filesystem::create_directories(folder_.path() / "other");
  std::filesystem::rename(base() / "features.safetensors",
                          folder_.path() / "other" / "features.safetensors");
  EXPECT_NO_THROW(verify_base(manifest));
  EXPECT_EQ(to_json(manifest).at("files"), content_.at("files"));
  for (const char* name : {"../other", "..", "", "a/b"}) {
    content_["files"]["features"]["from"] = name;
    EXPECT_NE(refusal([&] { load(); }).find("'from'"), std::string::npos) << name;
  }
}

TEST_F(Manifests, NeedNoFeatureNetworkUntilSomethingIsScored) {
  content_["files"].erase("features");
  const BaseManifest manifest = load();
  EXPECT_NO_THROW(verify_base(manifest));
  EXPECT_NE(refusal([&] { network_hash(manifest); }).find("'tiny' has no feature network"),
            std::string::npos);
}

TEST_F(Manifests, TellTheFamilyOfTheTransformer) {
  EXPECT_EQ(transformer_family(load()), "masked");
  content_["files"]["transformer"]["config"]["family"] = "autoregressive";
  EXPECT_EQ(transformer_family(load()), "autoregressive");
  content_["files"]["transformer"]["config"]["family"] = "diffusion";
  EXPECT_NE(refusal([&] { transformer_family(load()); }).find("diffusion"), std::string::npos);
}

TEST(FindAssetsDir, TakesTheNamedFolder) {
  EXPECT_EQ(find_assets_dir("/some/where"), "/some/where");
}

}  // namespace
}  // namespace marquee::experiments
