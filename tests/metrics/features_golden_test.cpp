// All cases of features.h5: Fréchet and kernel distance, precision/recall, density/coverage.
#include <cmath>

#include <gtest/gtest.h>

#include "analysis/metrics/frechet.h"
#include "analysis/metrics/kernel.h"
#include "analysis/metrics/manifold.h"
#include "tests/fixtures/formula_tensors.h"
#include "tests/fixtures/reference_file.h"

namespace marquee::analysis {
namespace {

using fixtures::ReferenceFile;

constexpr const char* kFeatures = "metrics/features.h5";

struct Case {
  std::string name;
  Tensor generated, real;
};

// Formula in the file's attribute `mixture`.
Tensor mixture_rows(const ReferenceFile& reference, const std::string& group,
                    const std::string& side) {
  const auto& file = reference.file();
  const auto number = [&](const char* key) { return file.double_attribute(group, key); };
  const std::string base = file.string_attribute(group, "base");
  const std::int64_t d = file.int_attribute(group, "d"),
                     centres = file.int_attribute(group, "centres");
  const std::int64_t n = file.int_attribute(group, "n_" + side);
  const std::int64_t below = file.int_attribute(group, "labels_" + side);
  const std::string name = base + "/" + side;
  const std::uint64_t seed = reference.seed();
  const Tensor places =
      fixtures::formula_scaled(seed, base + "/centres", {centres, d}, 0, number("centre_std"));
  const Tensor labels = fixtures::formula_integers(seed, name + "/label", {n}, below);
  Tensor noise;
  for (int k = 0; k < 4; ++k) {
    const Tensor part = fixtures::formula_scaled(seed, name + "/noise" + std::to_string(k), {n, d},
                                                 0, 0.5 * number("spread"));
    noise = k == 0 ? part : noise + part;
  }
  Tensor rows = places.index_select(0, labels) + noise;
  if (file.int_attribute(group, "relu") != 0) rows = rows.clamp_min(0);
  return rows.to(torch::kFloat32);
}

Tensor rows_of(const ReferenceFile& reference, const std::string& group, const std::string& side) {
  const std::string kind = reference.file().string_attribute(group, "kind");
  if (kind == "same") {
    // "<group>/<side>" of the set that both sides are.
    const std::string source = reference.file().string_attribute(group, "same_as");
    const std::size_t slash = source.rfind('/');
    return rows_of(reference, source.substr(0, slash), source.substr(slash + 1));
  }
  if (kind == "mixture") return mixture_rows(reference, group, side);
  return reference.read(group + "/" + side);
}

class FeaturesGolden : public testing::Test {
 protected:
  void SetUp() override {
    MARQUEE_REQUIRE_REFERENCE(kFeatures);
    reference_.emplace(kFeatures);
    for (const std::string& group : reference_->file().children("")) {
      if (!reference_->file().has_attribute(group, "kind")) continue;
      cases_.push_back(
          {group, rows_of(*reference_, group, "gen"), rows_of(*reference_, group, "real")});
    }
    ASSERT_FALSE(cases_.empty());
  }
  bool has(const std::string& name) const { return reference_->has(name); }
  double number(const std::string& name) const { return reference_->read_number(name); }

  std::optional<ReferenceFile> reference_;
  std::vector<Case> cases_;
};

TEST_F(FeaturesGolden, MixturesAreMadeAsTheFileSays) {
  for (const Case& c : cases_) {
    if (has(c.name + "/gen_head")) {
      const Tensor head = reference_->read(c.name + "/gen_head");
      fixtures::expect_close(c.generated.narrow(0, 0, head.size(0)).narrow(1, 0, head.size(1)),
                             head, 0, 0, c.name + "/gen_head");
    }
  }
}

TEST_F(FeaturesGolden, FrechetDistanceEqualsTheReference) {
  for (const Case& c : cases_) {
    for (const auto& [name, ddof] : {std::pair{"/fid/reference", 1}, {"/fid/reference_ddof0", 0}}) {
      if (!has(c.name + name)) continue;
      const double expected = number(c.name + name);
      EXPECT_NEAR(frechet_distance(c.generated, c.real, ddof), expected,
                  1e-9 * std::abs(expected) + 1e-9)
          << c.name << name;
    }
  }
}

TEST_F(FeaturesGolden, KernelDistanceEqualsTheReferenceOverAllPairs) {
  for (const Case& c : cases_) {
    const std::string name = c.name + "/kid/full_unbiased_float64";
    if (!has(name)) continue;
    const double expected = number(name);
    EXPECT_NEAR(kernel_distance(c.generated, c.real), expected, 1e-9 * std::abs(expected) + 1e-10)
        << name;
  }
}

TEST_F(FeaturesGolden, KernelDistanceEqualsTheReferenceOnStoredSubsets) {
  for (const Case& c : cases_) {
    const std::string at = c.name + "/kid/";
    if (!has(at + "per_subset_float64") || !has(at + "index_gen")) continue;
    const Tensor expected = reference_->read(at + "per_subset_float64");
    const Tensor generated = reference_->read_ids(at + "index_gen"),
                 real = reference_->read_ids(at + "index_real");
    for (std::int64_t i = 0; i < std::min({expected.size(0), generated.size(0), real.size(0)});
         ++i) {
      const double value = kernel_distance(c.generated.index_select(0, generated[i]),
                                           c.real.index_select(0, real[i]));
      EXPECT_NEAR(value, expected[i].item<double>(),
                  1e-9 * std::abs(expected[i].item<double>()) + 1e-10)
          << at << i;
    }
  }
}

// k of every "pr/<prefix><k>" of a case.
std::vector<int> neighbours(const ReferenceFile& reference, const std::string& group,
                            const std::string& prefix) {
  std::vector<int> ks;
  if (!reference.has(group + "/pr")) return ks;
  for (const std::string& name : reference.file().children(group + "/pr")) {
    if (name.starts_with(prefix) &&
        name.find_first_not_of("0123456789", prefix.size()) == std::string::npos)
      ks.push_back(std::stoi(name.substr(prefix.size())));
  }
  return ks;
}

TEST_F(FeaturesGolden, PrecisionAndRecallEqualTheExactCounts) {
  for (const Case& c : cases_) {
    for (const int k : neighbours(*reference_, c.name, "exact_k")) {
      const std::string name = c.name + "/pr/exact_k" + std::to_string(k);
      const Tensor expected = reference_->read(name);
      const PrecisionRecall result = precision_recall(c.generated, c.real, k);
      EXPECT_DOUBLE_EQ(result.precision.value, expected[0].item<double>()) << name;
      EXPECT_DOUBLE_EQ(result.recall.value, expected[1].item<double>()) << name;
    }
  }
}

TEST_F(FeaturesGolden, DensityAndCoverageEqualTheExactCounts) {
  for (const Case& c : cases_) {
    for (const int k : neighbours(*reference_, c.name, "exact_strict_k")) {
      const std::string name = c.name + "/pr/exact_strict_k" + std::to_string(k);
      const Tensor expected = reference_->read(name);
      const PrecisionRecall strict = precision_recall(c.generated, c.real, k, /*strict=*/true);
      const DensityCoverage result = density_coverage(c.generated, c.real, k);
      EXPECT_DOUBLE_EQ(strict.precision.value, expected[0].item<double>()) << name;
      EXPECT_DOUBLE_EQ(strict.recall.value, expected[1].item<double>()) << name;
      EXPECT_NEAR(result.density.value, expected[2].item<double>(), 1e-12) << name;
      EXPECT_DOUBLE_EQ(result.coverage.value, expected[3].item<double>()) << name;
    }
    for (const int k : neighbours(*reference_, c.name, "density_coverage_le_k")) {
      const std::string name = c.name + "/pr/density_coverage_le_k" + std::to_string(k);
      const Tensor expected = reference_->read(name);
      const DensityCoverage result = density_coverage(c.generated, c.real, k, /*strict=*/false);
      EXPECT_NEAR(result.density.value, expected[0].item<double>(), 1e-12) << name;
      EXPECT_DOUBLE_EQ(result.coverage.value, expected[1].item<double>()) << name;
    }
  }
}

}  // namespace
}  // namespace marquee::analysis
