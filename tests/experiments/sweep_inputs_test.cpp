#include "experiments/sweep_inputs.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::experiments {
namespace {

const std::filesystem::path kAssets = std::filesystem::path(MARQUEE_SOURCE_DIR) / "assets";

SweepFile sweep_of(const std::vector<std::string>& tasks, const std::string& base = "mini") {
  SweepFile sweep;
  for (const std::string& task : tasks) {
    for (const std::uint64_t seed : {0, 1}) {
      RunConfig run;
      run.task = task;
      run.shots = "5";
      run.method = "none";
      run.seed = seed;
      run.base = base;
      sweep.runs.push_back(run);
    }
  }
  return sweep;
}

TEST(SweepInputs, FillTheHashesOfWhatIsThere) {
  SweepFile sweep = sweep_of({"drawn/shapes_count"}), other = sweep;
  EXPECT_TRUE(resolve_what_is_there(sweep, kAssets, "").empty());
  resolve_hashes(other, kAssets, "");
  EXPECT_EQ(sweep.runs, other.runs);
}

TEST(SweepInputs, TellTheFamilyAndDropWhatItDoesNotRead) {
  SweepFile sweep;
  for (const char* base : {"mini", "mini_ar"}) {
    for (const int top_k : {0, 100}) {
      for (const int decode_steps : {8, 12}) {
        RunConfig run;
        run.task = "drawn/shapes_count";
        run.shots = "5";
        run.method = "none";
        run.base = base;
        run.top_k = top_k;
        run.decode_steps = decode_steps;
        sweep.runs.push_back(run);
      }
    }
  }
  SweepFile planned = sweep;
  EXPECT_TRUE(resolve_what_is_there(planned, kAssets, "").empty());
  resolve_hashes(sweep, kAssets, "");
  EXPECT_EQ(sweep.runs, planned.runs);
  ASSERT_EQ(sweep.runs.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    const RunConfig& run = sweep.runs[i];
    EXPECT_EQ(run.family, i < 2 ? "masked" : "autoregressive");
    EXPECT_EQ(run.protocol, "mini-v1") << "of the base whose feature network it is";
    EXPECT_EQ(i < 2 ? run.decode_steps : run.top_k, i < 2 ? (i == 0 ? 8 : 12) : (i == 2 ? 0 : 100));
  }
}

TEST(SweepInputs, EpochsBecomeStepsByTheImages) {
  // Drawn tasks: 4,000 images for training and 500 to choose settings by; 8 classes here.
  for (const auto& [shots, images] :
       std::map<std::string, int>{{"5", 40}, {"1", 8}, {"vtab1k", 1000}, {"full", 4500}}) {
    RunConfig run = sweep_of({"drawn/shapes_count"}).runs[0];
    run.method = "prompt";
    run.shots = shots;
    run.epochs = 3;
    resolve_hashes(run, kAssets, "");
    EXPECT_EQ(run.steps, 3 * std::max(1, images / run.batch)) << shots;
    RunConfig said = run;
    said.epochs = 0;
    EXPECT_EQ(run_id(said), run_id(run)) << "said in steps it is the same run";
    SweepFile sweep;
    sweep.runs = {run, said};
    EXPECT_TRUE(resolve_what_is_there(sweep, kAssets, "").empty());
    EXPECT_EQ(sweep.runs.size(), 1u);
  }
  RunConfig none = sweep_of({"drawn/shapes_count"}).runs[0];
  none.epochs = 3;
  resolve_hashes(none, kAssets, "");
  EXPECT_EQ(none.steps, RunConfig{}.steps) << "nothing is trained";
}

TEST(SweepInputs, RefuseAMarqueeHeaderOnAnAutoregressiveBase) {
  SweepFile sweep = sweep_of({"drawn/shapes_count"}, "mini_ar");
  for (RunConfig& run : sweep.runs) {
    run.method = "prompt";
    run.marquee = "classes";
  }
  const auto missing = resolve_what_is_there(sweep, kAssets, "");
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].kind, cluster::ErrorKind::usage);
  EXPECT_NE(missing[0].text.find("autoregressive"), std::string::npos);
  EXPECT_THROW(resolve_hashes(sweep, kAssets, ""), cluster::Error);
}

TEST(SweepInputs, NameTheProtocolAfterTheBaseThatMakesTheNumbers) {
  const cluster::TemporaryFolder assets;
  std::filesystem::copy(kAssets / "mini", assets.path() / "mini");
  const auto file = assets.path() / "mini" / "manifest.json";
  nlohmann::json manifest = nlohmann::json::parse(cluster::read_file(file, 1 << 20));
  for (const auto& [version, protocol] : {std::pair<std::string, std::string>{"mini-v0", "mini-v0"},
                                          {"mini-v1", "mini-v1"},
                                          {"somebody's own", "mini-v0"}}) {
    manifest["version"] = version;
    cluster::write_file_durably(file, manifest.dump());
    SweepFile planned = sweep_of({"drawn/shapes_count"}), swept = planned;
    EXPECT_TRUE(resolve_what_is_there(planned, assets.path(), "").empty());
    EXPECT_EQ(planned.runs[0].protocol, protocol) << version;
    resolve_hashes(swept, assets.path(), "");
    EXPECT_EQ(swept.runs, planned.runs) << version << ": what is planned is what is run";
  }
}

TEST(SweepInputs, ListEveryMissingDataSetOnce) {
  SweepFile sweep = sweep_of({"svhn", "drawn/shapes_count", "eurosat"});
  const cluster::TemporaryFolder data;
  const auto missing = resolve_what_is_there(sweep, kAssets, data.path());
  ASSERT_EQ(missing.size(), 2u);
  EXPECT_EQ(missing[0].what, "data");
  EXPECT_EQ(missing[0].name, "svhn");
  EXPECT_EQ(missing[1].name, "eurosat");
  EXPECT_NE(missing[0].remedy.find(data.path().string()), std::string::npos);
  EXPECT_EQ(missing[0].kind, cluster::ErrorKind::environment);
  EXPECT_TRUE(sweep.runs[0].data_hash.empty());
  EXPECT_FALSE(sweep.runs[2].data_hash.empty()) << "the drawn task is there";
  EXPECT_NE(resolve_what_is_there(sweep, kAssets, "")[0].remedy.find("--data"), std::string::npos);
}

TEST(SweepInputs, NameAMissingBaseAndDamagedWeights) {
  const cluster::TemporaryFolder assets;
  SweepFile sweep = sweep_of({"drawn/shapes_count"}, "mini");
  auto missing = resolve_what_is_there(sweep, assets.path(), "");
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].what, "base");
  std::filesystem::copy(kAssets / "mini", assets.path() / "mini");
  EXPECT_TRUE(resolve_what_is_there(sweep, assets.path(), "").empty());
  std::filesystem::resize_file(assets.path() / "mini" / "features.safetensors", 100);
  missing = resolve_what_is_there(sweep, assets.path(), "");
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_NE(missing[0].text.find("features.safetensors"), std::string::npos);
}

TEST(SweepInputs, RefuseATaskThatTheBaseWasPretrainedOn) {
  // Named in the provenance of another base than the shipped one.
  const cluster::TemporaryFolder assets;
  std::filesystem::copy(kAssets / "mini", assets.path() / "mini");
  const auto file = assets.path() / "mini" / "manifest.json";
  nlohmann::json manifest = nlohmann::json::parse(cluster::read_file(file, 1 << 20));
  manifest["provenance"]["task"] = "drawn/shapes_count";
  cluster::write_file_durably(file, manifest.dump());
  SweepFile sweep = sweep_of({"drawn/shapes_count", "drawn/dsprites_location"});
  const auto missing = resolve_what_is_there(sweep, assets.path(), "");
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].what, "task");
  EXPECT_EQ(missing[0].kind, cluster::ErrorKind::usage);
  EXPECT_NE(missing[0].text.find("pretrained"), std::string::npos);
  EXPECT_TRUE(sweep.runs[0].data_hash.empty());
  EXPECT_FALSE(sweep.runs[2].data_hash.empty());
  EXPECT_THROW(resolve_hashes(sweep, assets.path(), ""), cluster::Error);
}

}  // namespace
}  // namespace marquee::experiments
