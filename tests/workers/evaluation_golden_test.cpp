// Whole evaluations: the images of end_to_end.h5 through every tool's protocol, the statistics
// archives of npz/, the PNG files. Tolerances: the README beside them.
#include <algorithm>
#include <cstring>

#include <gmock/gmock.h>
#include <zlib.h>

#include "analysis/metrics/inception_score.h"
#include "analysis/metrics/kernel.h"
#include "analysis/metrics/manifold.h"
#include "cluster/durable_file.h"
#include "datasets/encode_png.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/fixtures/inception_weights.h"
#include "tests/fixtures/level_images.h"
#include "tests/fixtures/reference_file.h"
#include "tests/fixtures/reference_json.h"
#include "tests/fixtures/reference_log.h"
#include "tests/workers/refusal.h"
#include "workers/evaluation/measure.h"
#include "workers/mapped_tensor.h"
#include "workers/weight_files/npz_file.h"

namespace marquee::workers {
namespace {

using experiments::Protocol;
using fixtures::ReferenceFile;
using fixtures::ReferenceJson;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kEndToEnd = "metrics/end_to_end.h5";

const CountProgress kNoProgress = [](std::int64_t, std::int64_t) {};

class EvaluationGolden : public testing::Test {
 protected:
  void SetUp() override {
    MARQUEE_REQUIRE_REFERENCE(kEndToEnd);
    reference_.emplace(kEndToEnd);
    for (const char* side : {"a", "b"}) {
      const Tensor levels = reference_->read(std::string("images_") + side);
      const auto folder = folder_.path() / side;
      std::filesystem::create_directory(folder);
      for (std::int64_t i = 0; i < levels.size(0); ++i) {
        char name[16];
        std::snprintf(name, sizeof name, "%05d.png", static_cast<int>(i));
        datasets::write_png(folder / name, fixtures::image_of(levels[i]));
      }
      folders_[side] = folder.string();
    }
  }

  // Both folders through the network of a protocol.
  const std::map<std::string, MeasuredSet>& sets(const Protocol& protocol) {
    auto& sets = sets_[protocol.resize + protocol.range];
    if (!sets.empty()) return sets;
    const auto network =
        inception_network(fixtures::inception_weights(reference_->seed()), "formula", "formula",
                          {*resize_rule_named(protocol.resize),
                           protocol.range == "unit" ? InputRange::unit : InputRange::tensorflow},
                          torch::kFloat32);
    for (const auto& [side, folder] : folders_) {
      sets[side] = measure(*open_image_source(folder, {}), *network,
                           {"64", "192", "768", "2048", "logits_unbiased"}, {}, kNoProgress);
    }
    return sets;
  }

  std::map<std::string, double> scores(Protocol protocol) {
    const auto& both = sets(protocol);
    std::map<std::string, double> values;
    for (const auto& metric : score(protocol, protocol.metrics, both.at("a"), both.at("b"),
                                    "formula", {0, /*resamples=*/0}))
      values[metric.metric] = metric.value;
    return values;
  }

  bool has(const std::string& name) const { return reference_->has(name); }
  double number(const std::string& name) const { return reference_->read_number(name); }
  void expect(double value, const std::string& name, double tolerance) const {
    if (has(name)) {
      EXPECT_NEAR(value, number(name), tolerance) << name;
    }
  }
  void expect_head(const Protocol& protocol, const std::string& side, const std::string& output,
                   const std::string& name) {
    if (!has(name)) return;
    const Tensor head = reference_->read(name);
    fixtures::expect_close(sets(protocol).at(side).outputs.at(output).narrow(0, 0, head.size(0)),
                           head, output == "2048" ? 1e-4 : 2e-4, 0, name);
  }

  cluster::TemporaryFolder folder_;
  std::optional<ReferenceFile> reference_;
  std::map<std::string, std::string> folders_;
  static inline std::map<std::string, std::map<std::string, MeasuredSet>> sets_;
};

// FID of so few images lies about 3e-4 below the value in exact arithmetic, in every tool: the
// square roots of rounding eigenvalues.
constexpr double kFidRoom = 1e-3;

TEST_F(EvaluationGolden, TorchFidelity) {
  const std::string at = "torch_fidelity/";
  if (!has("torch_fidelity")) GTEST_SKIP() << "no " << at;
  Protocol protocol = experiments::protocol_named("torch-fidelity");
  const Tensor drawn = reference_->read_ids(at + "kid_index_a");
  protocol.kid_subsets = drawn.size(0);
  protocol.kid_size = drawn.size(1);
  auto values = scores(protocol);
  expect(values["fid"], at + "frechet_inception_distance", kFidRoom);
  expect(values["kid"], at + "kernel_inception_distance_mean", 5e-6);
  expect(values["inception_score"], at + "inception_score_mean", 1e-5);
  for (const char* share : {"precision", "recall"}) expect(values[share], at + share, 1e-6);
  expect(values["f_score"], at + "f_score", 1e-6);
  const std::string exact = at + "network_forced_to_float64/";
  expect(values["fid"], exact + "frechet_inception_distance", kFidRoom);
  expect(values["kid"], exact + "kernel_inception_distance_mean", 5e-6);
  expect(values["inception_score"], exact + "inception_score_mean", 1e-5);
  for (const char* share : {"precision", "recall", "f_score"})
    expect(values[share], exact + share, 1e-6);

  // Spreads, subsets and order.
  const auto& both = sets(protocol);
  const Tensor &a = both.at("a").outputs.at("2048"), &b = both.at("b").outputs.at("2048");
  analysis::NumpyRandom random(protocol.kid_seed);
  const Tensor each =
      analysis::kernel_distances(a, b, {protocol.kid_subsets, protocol.kid_size}, random);
  for (const std::string& group : {at, exact})
    expect(each.std(false).item<double>(), group + "kernel_inception_distance_std", 5e-6);
  analysis::NumpyRandom draws(protocol.kid_seed);
  const Tensor others = reference_->read_ids(at + "kid_index_b");
  for (std::int64_t i = 0; i < drawn.size(0); ++i) {
    const auto row = [&](const Tensor& set) {
      return torch::tensor(draws.choice(static_cast<std::size_t>(set.size(0)),
                                        static_cast<std::size_t>(protocol.kid_size)));
    };
    fixtures::expect_equal(row(a), drawn[i], at + "kid_index_a");
    fixtures::expect_equal(row(b), others[i], at + "kid_index_b");
  }
  const analysis::InceptionScore split = analysis::inception_score(
      both.at("a").outputs.at("logits_unbiased"), protocol.is_splits, protocol.is_shuffle);
  for (const std::string& group : {at, exact})
    expect(split.deviation, group + "inception_score_std", 1e-5);
  analysis::NumpyRandom order(*protocol.is_shuffle);
  fixtures::expect_equal(torch::tensor(order.permutation(static_cast<std::size_t>(a.size(0)))),
                         reference_->read_ids(at + "isc_permutation"), at + "isc_permutation");

  // From the features that the file holds, where no network comes in between.
  const Tensor stored_a = reference_->read(at + "features_a"),
               stored_b = reference_->read(at + "features_b");
  fixtures::expect_close(a, stored_a, 1e-4, 0, at + "features_a");
  fixtures::expect_close(b, stored_b, 1e-4, 0, at + "features_b");
  const auto relative = [&](double value, const std::string& name) {
    if (has(name)) {
      EXPECT_NEAR(value, number(name), 1e-8 * number(name)) << name;
    }
  };
  relative(analysis::frechet_distance(stored_a, stored_b), at + "fid_reference_same_features");
  relative(analysis::frechet_distance(stored_a, stored_b, 0), at + "fid_reference_ddof0");
  if (has(at + "prdc_k5_same_features")) {
    const auto shares = analysis::precision_recall(stored_a, stored_b, 5, /*strict=*/true);
    const auto density = analysis::density_coverage(stored_a, stored_b, 5);
    fixtures::expect_close(torch::tensor({shares.precision.value, shares.recall.value,
                                          density.density.value, density.coverage.value},
                                         torch::kFloat64),
                           reference_->read(at + "prdc_k5_same_features"), 1e-12, 0,
                           at + "prdc_k5_same_features");
  }
  expect_head(protocol, "a", "logits_unbiased", at + "logits_unbiased_a_head");
}

TEST_F(EvaluationGolden, PytorchFid) {
  if (!has("pytorch_fid")) GTEST_SKIP() << "no pytorch_fid";
  for (const std::string layer : {"64", "192", "768", "2048"}) {
    const std::string name = "pytorch_fid/fid_" + layer;
    if (!has(name)) continue;
    const Protocol& protocol =
        experiments::protocol_named(layer == "2048" ? "pytorch-fid" : "pytorch-fid-" + layer);
    expect(scores(protocol)["fid"], name, kFidRoom);
    expect(scores(protocol)["fid"], name + "_reference_same_features", 1e-4);
  }
  const Protocol& protocol = experiments::protocol_named("pytorch-fid");
  for (const std::string side : {"a", "b"})
    expect_head(protocol, side, "2048", "pytorch_fid/features_" + side + "_head");
}

TEST_F(EvaluationGolden, CleanFid) {
  if (!has("clean_fid")) GTEST_SKIP() << "no clean_fid";
  for (const auto& [mode, name] : {std::pair{"clean", "clean-fid"},
                                   {"legacy_pytorch", "clean-fid-legacy-pytorch"},
                                   {"legacy_tensorflow", "clean-fid-legacy-tensorflow"}}) {
    const Protocol& protocol = experiments::protocol_named(name);
    auto values = scores(protocol);
    const std::string at = std::string("clean_fid/");
    expect(values["fid"], at + "fid_" + mode, kFidRoom);
    expect(values["fid"], at + "fid_" + mode + "_reference_same_features", 1e-4);
    expect(values["kid"], at + "kid_" + mode, 5e-6);
    expect(values["kid"], at + "kid_" + mode + "_float64", 5e-6);
    for (const std::string side : {"a", "b"})
      expect_head(protocol, side, "2048", at + "features_" + mode + "_" + side + "_head");
  }
}

TEST_F(EvaluationGolden, FilesHoldTheImages) {
  const auto png = reference_folder() / "metrics/png";
  if (!std::filesystem::exists(png)) GTEST_SKIP() << "no " << png;
  const auto source = open_image_source(png.string(), {});
  std::map<std::string, std::int64_t> seen;
  for (std::size_t i = 0; i < source->size(); ++i) {
    // "a_00003.png": image 3 of images_a.
    const std::string stem = std::filesystem::path(source->where(i)).stem();
    const std::string side = stem.substr(0, 1);
    const std::int64_t row = std::stoll(stem.substr(2));
    const datasets::Image image = source->image(i);
    const Tensor expected = reference_->read("images_" + side)[row].to(torch::kUInt8).flatten();
    EXPECT_TRUE(torch::equal(torch::tensor(image.rgb), expected)) << stem;
    fixtures::note_read("metrics/png/" + stem + ".png", "");
    ++seen[side];
  }
  EXPECT_GT(seen["a"], 0);
  EXPECT_GT(seen["b"], 0);
}

constexpr const char* kArchives = "metrics/npz/npz.json";

// The member of `size` bytes that NumPy makes of an array: the header takes what the numbers leave.
std::string npy_of(const Tensor& array, const std::string& type, bool fortran, std::size_t size) {
  static const std::map<std::string, std::string> kTypes{
      {"bool", "|b1"},    {"uint8", "|u1"},   {"int32", "<i4"}, {"int64", "<i8"},
      {"float32", "<f4"}, {"float64", "<f8"}, {">f8", ">f8"}};
  std::string shape;
  for (const std::int64_t extent : array.sizes())
    shape += (shape.empty() ? "" : ", ") + std::to_string(extent);
  if (array.dim() == 1) shape += ",";
  const Tensor ordered = (fortran ? array.t() : array).contiguous();
  std::string numbers(static_cast<const char*>(ordered.const_data_ptr()), ordered.nbytes());
  const auto width = static_cast<std::ptrdiff_t>(ordered.element_size());
  if (type.starts_with(">"))
    for (auto at = numbers.begin(); at != numbers.end(); at += width) std::reverse(at, at + width);
  constexpr std::size_t kBefore = 10;
  std::string header = "{'descr': '" + kTypes.at(type) +
                       "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': (" +
                       shape + "), }";
  header.resize(size - numbers.size() - kBefore - 1, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  return bytes + header + numbers;
}

std::uint32_t crc32_of(const std::string& bytes) {
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

// Every array of every archive of npz/ that NumPy could read, by type, shape and the checksum of
// what NumPy wrote of it; what it could not read is refused.
TEST(NpzGolden, ArchivesAreReadAsNumpyReadsThem) {
  MARQUEE_REQUIRE_REFERENCE(kArchives);
  const ReferenceJson archives(kArchives);
  for (const std::string& name : archives.keys()) {
    const ReferenceJson entry = archives.at(name);
    if (!entry.has("contents")) continue;
    const std::string relative = "metrics/npz/" + name;
    const auto path = reference_folder() / relative;
    EXPECT_EQ(std::filesystem::file_size(path), entry.at("bytes").value()) << name;
    const json& contents = entry.at("contents").value();
    if (contents.is_string()) {  // "numpy.load fails: ..."
      EXPECT_THAT(refusal_of([&] { open_npz(path); }), HasSubstr(name));
      fixtures::note_read(relative, "");
      continue;
    }
    const WeightFile file = open_npz(path);
    EXPECT_EQ(file.tensors.size(), contents.size()) << name;
    for (const auto& [array, _] : file.tensors) fixtures::note_entry(relative, array);
    for (const ReferenceJson& member : entry.at("members").elements()) {
      const std::string in_archive = member.at("name").value(),
                        array = in_archive.substr(0, in_archive.size() - std::strlen(".npy")),
                        what = name + " " + array;
      ASSERT_TRUE(contents.contains(array)) << what;
      const std::string type = contents.at(array).at(0);
      const StoredTensor& stored = file.tensor(array);
      EXPECT_EQ(json(stored.shape), contents.at(array).at(1)) << what;
      EXPECT_EQ(type == ">f8" ? ElementType::f64 : type_named_in_numpy(type), stored.type) << what;
      const Tensor tensor = mapped_tensor(stored, file.memory());
      const auto size = member.at("size").value().get<std::size_t>();
      std::vector<std::uint32_t> written{crc32_of(npy_of(tensor, type, false, size))};
      if (tensor.dim() == 2) written.push_back(crc32_of(npy_of(tensor, type, true, size)));
      EXPECT_THAT(written, testing::Contains(member.at("crc32").value().get<std::uint32_t>()))
          << what;
      fixtures::note_read(relative, array);
    }
  }
}

TEST(NpzGolden, StatisticsHaveTheValuesThatNumpyPrints) {
  MARQUEE_REQUIRE_REFERENCE(kArchives);
  const ReferenceJson archives(kArchives);
  if (!archives.has("values")) GTEST_SKIP() << "no values in " << kArchives;
  const ReferenceJson values = archives.at("values");
  const auto arrays = [](const char* archive) {
    return open_npz(reference_folder() / "metrics/npz" / archive);
  };
  const auto tensor = [](const WeightFile& file, const char* name) {
    return mapped_tensor(file.tensor(name), file.memory()).to(torch::kFloat64);
  };
  const auto expected = [&](const char* key) {
    return torch::tensor(values.at(key).value().get<std::vector<double>>(), torch::kFloat64);
  };
  const WeightFile stored = arrays("stats_stored.npz"), fortran = arrays("stats_f32_fortran.npz");
  const Tensor covariance = tensor(stored, "sigma");
  fixtures::expect_equal(tensor(stored, "mu"), expected("mu"), "mu");
  fixtures::expect_equal(covariance[0], expected("sigma_first_row"), "sigma_first_row");
  const auto trace = values.at("sigma_trace").value().get<double>();
  EXPECT_NEAR(covariance.trace().item<double>(), trace, 1e-14 * trace);
  fixtures::expect_equal(tensor(fortran, "sigma")[0], expected("fortran_sigma_first_row"),
                         "fortran_sigma_first_row");
}

// Archives of statistics hold the same ones, each in its own way; of the float32 file the
// covariance is noise, which is no covariance and is refused as one.
TEST(NpzGolden, StatisticsAgreeAcrossFormats) {
  const auto folder = reference_folder() / "metrics/npz";
  const auto stored = folder / "stats_stored.npz";
  if (!std::filesystem::exists(stored)) GTEST_SKIP() << "no " << stored;
  const auto expected = read_statistics(stored, "2048").statistics.at("2048");
  for (const std::string name :
       {"stats_deflated.npz", "stats_adm_like.npz", "stats_f32_fortran.npz"}) {
    if (!std::filesystem::exists(folder / name)) continue;
    EXPECT_TRUE(holds_statistics(folder / name));
    const MeasuredSet set = read_statistics(folder / name, "2048");
    const auto& own = set.statistics.at("2048");
    EXPECT_EQ(set.statistics.contains("spatial"), name == "stats_adm_like.npz");
    const bool single = name == "stats_f32_fortran.npz";
    fixtures::expect_close(own.mean, expected.mean, single ? 1e-6 : 0, single ? 1e-6 : 0, name);
    if (single && !at::allclose(own.covariance, own.covariance.t())) {
      EXPECT_THAT(refusal_of([&] { analysis::frechet_distance(own, expected); }),
                  HasSubstr("not symmetric"));
      continue;
    }
    fixtures::expect_close(own.covariance, expected.covariance, single ? 1e-5 : 0, 0, name);
  }
}

}  // namespace
}  // namespace marquee::workers
