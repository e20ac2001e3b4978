// Runs on folders of images: a user's own, and the VTAB-1k layout; what is broken in them.
#include <fstream>

#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "datasets/dataset.h"
#include "datasets/encode_png.h"
#include "datasets/resize.h"
#include "datasets/tfrecord.h"
#include "experiments/run_folder.h"
#include "experiments/sweep_inputs.h"
#include "tests/datasets/shared_data.h"
#include "tests/workers/quiet_progress.h"
#include "tests/workers/tiny_base.h"
#include "workers/hdf5_file.h"
#include "workers/runs/run_executor.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;

class OwnData : public testing::Test {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    base_ = install_tiny_base(assets());
    drawn_ = datasets::open_dataset(datasets::find_task("drawn/shapes_count"), "train", {});
  }
  fs::path assets() const { return folder_.path() / "assets"; }
  fs::path data() const { return folder_.path() / "data"; }
  void write(const fs::path& file, std::size_t image) const {
    fs::create_directories((data() / file).parent_path());
    datasets::write_png(data() / file, drawn_->image(image));
  }
  // Two classes of 60 images.
  void write_own() const {
    for (std::size_t i = 0; i < 120; ++i)
      write("shapes/" + std::string(i % 2 == 0 ? "even" : "odd") + "/" + std::to_string(i) + ".png",
            i);
  }
  experiments::RunConfig run_on(const std::string& task, const std::string& shots) const {
    experiments::RunConfig run = tiny_run(base_);
    run.task = task;
    run.shots = shots;
    return run;
  }
  RunOutcome execute(experiments::RunConfig run, const std::string& results = "results") {
    experiments::resolve_hashes(run, assets(), data());
    QuietProgress quiet;
    LocalCommunicator alone;
    request_ = {run, 1, 1, folder_.path() / results, data(), assets()};
    return RunExecutor(1).execute(request_, alone, quiet);
  }
  Hdf5File result() const {
    return open_sealed_hdf5(
        experiments::attempt_dir(request_.results, experiments::run_id(request_.run), 1) /
        "result.h5");
  }

  TemporaryFolder folder_;
  BaseModel base_;
  std::unique_ptr<datasets::Dataset> drawn_;
  RunRequest request_;
};

TEST_F(OwnData, AFolderOfClassesIsATask) {
  write_own();
  const auto outcome = execute(run_on("folder/shapes", "3"));
  ASSERT_TRUE(outcome.result);
  EXPECT_EQ(outcome.result->class_prior.size(), 2u);
  EXPECT_EQ(outcome.result->provenance.at("data_source").at("layout"), "images");
  const auto stored = result();
  const std::vector<std::string> ids = stored.read_strings("training/ids");
  ASSERT_EQ(ids.size(), 6u);
  const Tensor labels = stored.read_tensor("training/labels");
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_TRUE(fs::exists(data() / "shapes" / ids[i])) << ids[i];
    EXPECT_EQ(labels[static_cast<std::int64_t>(i)].item<int>(), ids[i].starts_with("odd") ? 1 : 0);
  }
  EXPECT_EQ(stored.string_attribute("training", "split"), "train");
}

TEST_F(OwnData, UnlabelledImagesAreOneClass) {
  for (std::size_t i = 0; i < 80; ++i) write("plain/" + std::to_string(i) + ".png", i);
  const auto outcome = execute(run_on("folder/plain", "4"));
  ASSERT_TRUE(outcome.result);
  EXPECT_EQ(outcome.result->class_prior.size(), 1u);
  for (const auto& metric : outcome.result->metrics) EXPECT_NE(metric.metric, "label_accuracy");
}

TEST_F(OwnData, ABrokenImageStopsTheRunOrIsSkippedAndReported) {
  write_own();
  experiments::RunConfig run = run_on("folder/shapes", "3");
  execute(run, "before");
  const std::vector<std::string> usual = result().read_strings("training/ids");
  // The same size, so that the data hash cannot tell.
  const fs::path broken = data() / "shapes" / usual[0];
  std::string bytes = cluster::read_file(broken, 1 << 20);
  std::fill(bytes.begin() + 8, bytes.end(), 'x');
  std::ofstream(broken, std::ios::binary) << bytes;
  try {
    execute(run, "refuses");
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find(usual[0]), std::string::npos) << error.what();
  }
  run.on_bad_record = "skip";
  const auto outcome = execute(run, "skips");
  ASSERT_TRUE(outcome.result);
  EXPECT_EQ(outcome.result->provenance.at("skipped_records").at("count"), 1);
  EXPECT_NE(outcome.result->provenance.at("skipped_records").dump().find(usual[0]),
            std::string::npos);
  const std::vector<std::string> chosen = result().read_strings("training/ids");
  EXPECT_EQ(chosen.size(), usual.size());
  EXPECT_EQ(std::count(chosen.begin(), chosen.end(), usual[0]), 0);
}

// A flipped byte in a record of a shard, as a bad disk leaves it.
TEST_F(OwnData, ABrokenTfdsRecordStopsTheRunOrIsSkippedAndReported) {
  const fs::path whole = datasets::shared_data() / "tfds_synth/eurosat";
  MARQUEE_NEEDS(whole);
  fs::create_directories(data());
  fs::copy(whole, data() / "eurosat", fs::copy_options::recursive);
  const fs::path shard = data() / "eurosat/rgb/2.0.0" / "eurosat-train.tfrecord-00000-of-00003";
  constexpr std::size_t kRecord = 5;
  const auto place = datasets::TfRecordFile(shard).places().at(kRecord);
  std::string bytes = cluster::read_file(shard, 1 << 24);
  bytes[place.offset + 12 + place.length / 2] ^= 0x10;
  fs::permissions(shard, fs::perms::owner_all);
  std::ofstream(shard, std::ios::binary) << bytes;

  experiments::RunConfig run = run_on("eurosat", "vtab1k");
  try {
    execute(run, "refuses");
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what())
                  .find("-00000-of-00003: record 5 at byte " + std::to_string(place.offset)),
              std::string::npos)
        << error.what();
  }
  run.on_bad_record = "skip";
  const auto outcome = execute(run, "skips");
  ASSERT_TRUE(outcome.result);
  const auto& skipped = outcome.result->provenance.at("skipped_records");
  EXPECT_EQ(skipped.at("count"), 1);
  EXPECT_NE(skipped.dump().find("record 5 at byte"), std::string::npos);
  const int before =
      static_cast<int>(datasets::open_dataset(datasets::find_task("eurosat"), "train800val200",
                                              datasets::shared_data() / "tfds_synth")
                           ->size());
  EXPECT_EQ(outcome.result->provenance.at("training_images"), before - 1);
}

TEST_F(OwnData, AVtab1kFolderRunsWithItsThousandImages) {
  std::string train, test;
  for (std::size_t i = 0; i < 40; ++i) {
    const std::string name = "images/all/" + std::to_string(i) + ".png";
    write("eurosat/" + name, i);
    (i < 20 ? train : test) += name + " " + std::to_string(i % 10) + "\n";
  }
  for (const char* list : {"train800val200", "train800", "val200"})
    std::ofstream(data() / "eurosat" / (std::string(list) + ".txt")) << train;
  std::ofstream(data() / "eurosat/test.txt") << test;
  const auto outcome = execute(run_on("eurosat", "vtab1k"));
  ASSERT_TRUE(outcome.result);
  EXPECT_EQ(outcome.result->provenance.at("training_images"), 20);
  EXPECT_EQ(outcome.result->provenance.at("data_source").at("layout"), "vtab1k");
  EXPECT_TRUE(execute([&] {
                experiments::RunConfig oracle = run_on("eurosat", "full");
                oracle.method = "oracle_real";
                return oracle;
              }())
                  .result);
  try {
    execute(run_on("eurosat", "5"));
    FAIL() << "accepted";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("shots must be vtab1k"), std::string::npos);
  }
}

TEST_F(OwnData, CropsChangeWhatIsTunedOn) {
  // Larger than the base sees, so that there is something to cut out.
  for (std::size_t i = 0; i < 80; ++i) {
    const fs::path file = data() / "wide" / (std::to_string(i) + ".png");
    fs::create_directories(file.parent_path());
    datasets::write_png(file, datasets::resize(drawn_->image(i), 80, 120));
  }
  experiments::RunConfig run = run_on("folder/wide", "3");
  const auto centre = execute(run, "a").result;
  run.crops = 3;
  const auto crops = execute(run, "a").result;
  EXPECT_NE(centre->prompt_sha256, crops->prompt_sha256);
  EXPECT_EQ(crops->prompt_sha256, execute(run, "b").result->prompt_sha256);
}

}  // namespace
}  // namespace marquee::workers
