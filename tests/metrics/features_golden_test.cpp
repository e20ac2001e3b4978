// All cases of features.h5: Fréchet and kernel distance, precision/recall, density/coverage.
#include <cmath>

#include <gtest/gtest.h>

#include "analysis/metrics/frechet.h"
#include "analysis/metrics/inception_score.h"
#include "analysis/metrics/kernel.h"
#include "analysis/metrics/manifold.h"
#include "cluster/error.h"
#include "cluster/sha256.h"
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

// Formula in the attribute `about` of the group inception_score.
Tensor formula_logits(const ReferenceFile& reference, const std::string& group) {
  constexpr double kPeak = 6;
  const auto& file = reference.file();
  const std::string base = file.string_attribute(group, "formula_base");
  const std::int64_t n = file.int_attribute(group, "n"), classes = file.int_attribute(group, "C");
  const std::uint64_t seed = reference.seed();
  Tensor logits = fixtures::formula_scaled(seed, base + "/logits", {n, classes}, 0,
                                           file.double_attribute(group, "std"))
                      .to(torch::kFloat32);
  const Tensor labels = fixtures::formula_integers(seed, base + "/label", {n}, classes);
  return logits.scatter_add(1, labels.unsqueeze(1), torch::full({n, 1}, kPeak));
}

// Of the little-endian bytes, row by row.
std::string hash_of(const Tensor& values) {
  const Tensor whole = values.contiguous();
  return cluster::sha256_hex({static_cast<const char*>(whole.const_data_ptr()), whole.nbytes()});
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

TEST_F(FeaturesGolden, FeaturesAreThoseOfTheFile) {
  for (const Case& c : cases_) {
    for (const auto& [side, rows] : {std::pair{"gen", c.generated}, {"real", c.real}}) {
      const std::string name = c.name + "/" + side + "_head";
      if (has(name)) {
        const Tensor head = reference_->read(name);
        fixtures::expect_close(rows.narrow(0, 0, head.size(0)).narrow(1, 0, head.size(1)), head, 0,
                               0, name);
      }
      const std::string key = std::string(side) + "_sha256";
      if (reference_->file().has_attribute(c.name, key)) {
        EXPECT_EQ(hash_of(rows), reference_->file().string_attribute(c.name, key)) << c.name << key;
      }
    }
  }
}

// Against the reference to the last digits; against what the tools print within their own rounding,
// which is largest where thousands of rounding eigenvalues enter a square root (fewer rows than
// columns).
TEST_F(FeaturesGolden, FrechetDistanceEqualsTheReferenceAndWhatTheToolsPrint) {
  for (const Case& c : cases_) {
    const std::string at = c.name + "/fid/";
    if (!has(at + "reference")) continue;
    const bool singular = std::min(c.generated.size(0), c.real.size(0)) <= c.generated.size(1);
    const double own = frechet_distance(c.generated, c.real),
                 own_ddof0 = frechet_distance(c.generated, c.real, 0);
    const auto check = [&](const char* name, double value, double relative) {
      if (!has(at + name)) return;
      const double expected = number(at + name);
      EXPECT_NEAR(value, expected, relative * std::abs(expected) + 1e-9) << at << name;
    };
    check("reference", own, 1e-9);
    check("reference_ddof0", own_ddof0, 1e-9);
    for (const char* tool : {"pytorch_fid", "eigh64"}) check(tool, own, singular ? 5e-6 : 1e-9);
    for (const char* tool : {"clean_fid", "torch_fidelity", "dgm_eval"})  // float32 means
      check(tool, own, singular ? 5e-6 : 1e-6);
    check("stylegan2_ada_ddof0", own_ddof0, singular ? 5e-6 : 1e-9);
    // A square root in single precision: kept in the file as a warning.
    check("eigh32", own, singular ? 2e-2 : 1e-5);

    const FeatureStatistics generated = feature_statistics(c.generated),
                            real = feature_statistics(c.real);
    for (const auto& [side, statistics] : {std::pair{"gen", generated}, {"real", real}}) {
      if (!has(at + "mu_" + side)) continue;
      fixtures::expect_close(statistics.mean, reference_->read(at + "mu_" + side), 1e-12, 1e-12,
                             at + "mu_" + side);
      fixtures::expect_close(statistics.covariance, reference_->read(at + "sigma_" + side), 1e-12,
                             1e-11, at + "sigma_" + side);
    }
    check("reference", frechet_distance(generated, real), singular ? 5e-6 : 1e-8);
    if (!has(at + "terms")) continue;
    const double means = (generated.mean - real.mean).square().sum().item<double>(),
                 traces[] = {generated.covariance.trace().item<double>(),
                             real.covariance.trace().item<double>()};
    const double root = (means + traces[0] + traces[1] - own) / 2;
    fixtures::expect_close(torch::tensor({means, traces[0], traces[1], root}, torch::kFloat64),
                           reference_->read(at + "terms"), 1e-9, 1e-9, at + "terms");
  }
}

TEST_F(FeaturesGolden, FrechetDistanceAtInfinity) {
  constexpr std::uint32_t kSubsetSeed = 7;  // notes of the file
  for (const Case& c : cases_) {
    const std::string at = c.name + "/fd_infinity/";
    if (!has(at + "sizes")) continue;
    const Tensor sizes = reference_->read_ids(at + "sizes"),
                 offsets = reference_->read_ids(at + "offsets"),
                 indices = reference_->read_ids(at + "indices");
    EXPECT_TRUE(torch::equal(torch::tensor(frechet_infinity_sizes(c.generated.size(0))), sizes))
        << at;
    NumpyRandom draws(kSubsetSeed);
    for (std::int64_t i = 0; i < sizes.size(0); ++i) {
      const std::int64_t first = offsets[i].item<std::int64_t>(),
                         behind = offsets[i + 1].item<std::int64_t>();
      const auto own = draws.choice(static_cast<std::size_t>(c.generated.size(0)),
                                    static_cast<std::size_t>(sizes[i].item<std::int64_t>()));
      fixtures::expect_equal(torch::tensor(own), indices.slice(0, first, behind), at + "indices");
    }
    NumpyRandom random(kSubsetSeed);
    const FrechetAtInfinity result = frechet_at_infinity(c.generated, c.real, random);
    fixtures::expect_close(torch::tensor(result.distances, torch::kFloat64),
                           reference_->read(at + "fd_per_size_float64"), 1e-9, 1e-8,
                           at + "fd_per_size_float64");
    fixtures::expect_close(torch::tensor({result.slope, result.value.value}, torch::kFloat64),
                           reference_->read(at + "slope_intercept_float64"), 1e-8, 1e-7,
                           at + "slope_intercept");
    for (const auto& [name, relative] :
         {std::pair{"value_float64_features", 1e-7}, {"value_float32_features", 2e-6}}) {
      const double expected = number(at + name);
      EXPECT_NEAR(result.value.value, expected, relative * std::abs(expected)) << at << name;
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

// The tools' own subsets, drawn from NumPy's stream.
TEST_F(FeaturesGolden, KernelDistancesOfDrawnSubsetsAreWhatTheToolsPrint) {
  constexpr std::uint32_t kToolSeed = 2020, kGlobalSeed = 0;
  constexpr std::int64_t kGlobalSubsets = 5;  // notes of the file
  for (const Case& c : cases_) {
    const std::string at = c.name + "/kid/";
    if (!has(at + "index_gen")) continue;
    KernelSubsets subsets{reference_->file().int_attribute(c.name + "/kid", "subsets"),
                          reference_->file().int_attribute(c.name + "/kid", "subset_size"),
                          DrawnFirst::generated};
    NumpyRandom draws(kToolSeed);
    std::map<std::string, std::vector<Tensor>> rows;
    for (std::int64_t i = 0; i < subsets.subsets; ++i) {
      for (const auto& [side, set] : {std::pair{"gen", c.generated}, {"real", c.real}})
        rows[side].push_back(torch::tensor(draws.choice(static_cast<std::size_t>(set.size(0)),
                                                        static_cast<std::size_t>(subsets.size))));
    }
    for (const char* side : {"gen", "real"}) {
      const std::string name = at + "index_" + side;
      const Tensor own = at::stack(rows[side]), stored = reference_->read_ids(name);
      fixtures::expect_equal(own.narrow(0, 0, stored.size(0)), stored, name);
      EXPECT_EQ(hash_of(own.to(torch::kInt32)),
                reference_->file().string_attribute(name, "sha256_all"))
          << name;
    }
    NumpyRandom random(kToolSeed);
    const Tensor values = kernel_distances(c.generated, c.real, subsets, random);
    const auto near = [&](double value, const char* name, double tolerance) {
      if (has(at + name)) {
        EXPECT_NEAR(value, number(at + name), tolerance) << at << name;
      }
    };
    fixtures::expect_close(values, reference_->read(at + "per_subset_float64"), 1e-10, 1e-9,
                           at + "per_subset_float64");
    fixtures::expect_close(values, reference_->read(at + "per_subset_float32"), 5e-6, 1e-5,
                           at + "per_subset_float32");
    const double mean = values.mean().item<double>(), deviation = values.std(false).item<double>();
    near(mean, "mean_float64", 1e-9 * (1 + std::abs(mean)));
    near(deviation, "std_float64", 1e-9 * (1 + deviation));
    near(mean, "torch_fidelity_mean", 5e-6);
    near(deviation, "torch_fidelity_std", 5e-6);
    // Tools that draw from the global stream.
    subsets.subsets = kGlobalSubsets;
    subsets.size = std::min({subsets.size, c.generated.size(0), c.real.size(0)});
    NumpyRandom clean(kGlobalSeed), evaluation(kGlobalSeed);
    near(kernel_distances(c.generated, c.real, subsets, clean).mean().item<double>(),
         "clean_fid_np_random_seed0", 5e-6);
    subsets.drawn_first = DrawnFirst::reference;
    fixtures::expect_close(kernel_distances(c.generated, c.real, subsets, evaluation),
                           reference_->read(at + "dgm_eval_np_random_seed0"), 5e-6, 1e-5,
                           at + "dgm_eval_np_random_seed0");
    // One block of as many rows as the smaller set has.
    const std::int64_t rows_of_both = std::min(c.generated.size(0), c.real.size(0));
    near(kernel_distance(c.generated.narrow(0, 0, rows_of_both), c.real.narrow(0, 0, rows_of_both)),
         "full_first_min_rows_torch_fidelity_float64", 1e-9 * (1 + std::abs(mean)));
  }
}

TEST_F(FeaturesGolden, InceptionScoreIsWhatTheToolsPrint) {
  constexpr std::uint32_t kToolSeed = 2020;
  if (!has("inception_score")) GTEST_SKIP() << "no inception_score";
  for (const std::string& name : reference_->file().children("inception_score")) {
    const std::string at = "inception_score/" + name + "/";
    const auto& file = reference_->file();
    const std::string group = "inception_score/" + name;
    const Tensor logits =
        has(at + "logits") ? reference_->read(at + "logits") : formula_logits(*reference_, group);
    EXPECT_EQ(hash_of(logits), file.string_attribute(group, "sha256")) << at;
    const auto splits = static_cast<int>(file.int_attribute(group, "splits"));
    NumpyRandom random(kToolSeed);
    fixtures::expect_equal(
        torch::tensor(random.permutation(static_cast<std::size_t>(logits.size(0)))),
        reference_->read_ids(at + "permutation"), at + "permutation");
    const Tensor in_order = reference_->read(at + "torch_fidelity_in_order"),
                 shuffled = reference_->read(at + "torch_fidelity_shuffled"),
                 single = reference_->read(at + "stylegan2_ada_form_float32"),
                 each = reference_->read(at + "split_scores_shuffled_float64");
    if (logits.size(0) < splits) {  // the tools print NaN
      EXPECT_TRUE(in_order.isnan().all().item<bool>()) << at;
      EXPECT_TRUE(shuffled.isnan().all().item<bool>()) << at;
      EXPECT_TRUE(single.isnan().all().item<bool>()) << at;
      EXPECT_TRUE(each.isnan().any().item<bool>()) << at;
      EXPECT_THROW(inception_score(logits, splits, {}), cluster::Error) << at;
      continue;
    }
    const auto both = [](const InceptionScore& score) {
      return torch::tensor({score.mean, score.deviation}, torch::kFloat64);
    };
    const InceptionScore ordered = inception_score(logits, splits, {}),
                         drawn = inception_score(logits, splits, kToolSeed);
    fixtures::expect_close(both(ordered), in_order, 1e-10, 1e-10, at + "torch_fidelity_in_order");
    fixtures::expect_close(both(drawn), shuffled, 1e-10, 1e-10, at + "torch_fidelity_shuffled");
    fixtures::expect_close(drawn.splits, each, 1e-10, 1e-10, at + "split_scores");
    fixtures::expect_close(both(ordered), single, 1e-5, 1e-5, at + "stylegan2_ada_form_float32");
  }
}

// k of every "pr/<prefix><k><suffix>" of a case.
std::vector<int> neighbours(const ReferenceFile& reference, const std::string& group,
                            const std::string& prefix, const std::string& suffix = "") {
  std::vector<int> ks;
  if (!reference.has(group + "/pr")) return ks;
  for (const std::string& name : reference.file().children(group + "/pr")) {
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    const std::string k = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
    if (!k.empty() && k.find_first_not_of("0123456789") == std::string::npos)
      ks.push_back(std::stoi(k));
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

// Of the tools: prdc (all four, strict) and torch-fidelity (precision, recall, f_score, inclusive).
// Their float32 distances may put a pair on the other side of a radius.
TEST_F(FeaturesGolden, PrecisionRecallDensityAndCoverageAreWhatTheToolsPrint) {
  for (const Case& c : cases_) {
    const double flip = 1.0 / static_cast<double>(std::min(c.generated.size(0), c.real.size(0)));
    for (const char* type : {"float64", "float32"}) {
      const double room = std::string_view(type) == "float64" ? 1e-12 : flip + 1e-6;
      for (const int k : neighbours(*reference_, c.name, "prdc_k", std::string("_") + type)) {
        const std::string name = c.name + "/pr/prdc_k" + std::to_string(k) + "_" + type;
        const PrecisionRecall shares = precision_recall(c.generated, c.real, k, /*strict=*/true);
        const DensityCoverage dc = density_coverage(c.generated, c.real, k);
        fixtures::expect_close(torch::tensor({shares.precision.value, shares.recall.value,
                                              dc.density.value, dc.coverage.value},
                                             torch::kFloat64),
                               reference_->read(name), room, 0, name);
      }
    }
    for (const int k : neighbours(*reference_, c.name, "torch_fidelity_k")) {
      const std::string name = c.name + "/pr/torch_fidelity_k" + std::to_string(k);
      const PrecisionRecall shares = precision_recall(c.generated, c.real, k);
      fixtures::expect_close(torch::tensor({shares.precision.value, shares.recall.value,
                                            f_score(shares.precision.value, shares.recall.value)},
                                           torch::kFloat64),
                             reference_->read(name), flip + 1e-6, 0, name);
    }
  }
}

TEST_F(FeaturesGolden, RadiiAndRealismEqualTheReference) {
  for (const Case& c : cases_) {
    for (const auto& [side, set] : {std::pair{"gen", c.generated}, {"real", c.real}}) {
      const std::string prefix = std::string("radius_") + side + "_k";
      const std::vector<int> ks = neighbours(*reference_, c.name, prefix);
      if (ks.empty()) continue;
      const Tensor radii = ball_radii(set, ks);
      for (std::size_t i = 0; i < ks.size(); ++i) {
        const std::string name = c.name + "/pr/" + prefix + std::to_string(ks[i]);
        fixtures::expect_close(radii.select(1, static_cast<std::int64_t>(i)),
                               reference_->read(name), 1e-12, 1e-12, name);
      }
    }
    for (const int k : neighbours(*reference_, c.name, "realism_dgm_eval_k", "_float64")) {
      const std::string name = c.name + "/pr/realism_dgm_eval_k" + std::to_string(k) + "_float64";
      fixtures::expect_close(realism_scores(c.generated, c.real, k), reference_->read(name), 1e-7,
                             1e-6, name);
    }
  }
}

}  // namespace
}  // namespace marquee::analysis
