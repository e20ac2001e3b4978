#include "workers/evaluation/score.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "analysis/metrics/inception_score.h"
#include "analysis/metrics/kernel.h"
#include "analysis/metrics/manifold.h"
#include "analysis/metrics/vendi.h"
#include "cluster/error.h"
#include "cluster/suggest.h"

namespace marquee::workers {
namespace {

using analysis::Estimate;
using experiments::MetricValue;
using experiments::Protocol;

constexpr const char* kLogits = "logits_unbiased";

std::string output_of(const Protocol& protocol, const std::string& metric) {
  if (metric == "sfid") return kSpatialOutput;
  if (is_of_manifold_network(protocol, metric)) return protocol.manifold_network;
  return metric == "inception_score" ? kLogits : main_output(protocol);
}

class Scorer {
 public:
  Scorer(const Protocol& protocol, const MeasuredSet& generated, const MeasuredSet& reference,
         const ScoreOptions& options)
      : protocol_(protocol), generated_(generated), reference_(reference), options_(options) {}

  Estimate value(const std::string& metric) {
    if (metric == "fid" || metric == "fid_mini" || metric == "sfid")
      return frechet(output_of(protocol_, metric));
    if (metric == "kid" || metric == "kid_mini") return kernel(metric);
    if (metric == "inception_score") return inception();
    if (metric == "fid_infinity") {
      analysis::NumpyRandom random(static_cast<std::uint32_t>(options_.seed));
      return analysis::frechet_at_infinity(features(generated_, "generated", metric),
                                           features(reference_, "reference", metric), random,
                                           protocol_.ddof)
          .value;
    }
    if (metric == "vendi") return vendi();
    return manifold(metric);
  }

 private:
  const Tensor& features(const MeasuredSet& set, const std::string& what,
                         const std::string& metric) const {
    return output(set, output_of(protocol_, metric), what, metric);
  }
  static const Tensor& output(const MeasuredSet& set, const std::string& name,
                              const std::string& what, const std::string& metric) {
    const auto found = set.outputs.find(name);
    if (found == set.outputs.end()) {
      cluster::throw_usage(metric + " needs the images themselves; of the " + what +
                           " ones only statistics are given, which fid can be computed from");
    }
    return found->second;
  }

  analysis::FeatureStatistics statistics(const MeasuredSet& set, const std::string& name,
                                         const std::string& what) const {
    if (const auto found = set.statistics.find(name); found != set.statistics.end())
      return found->second;
    const auto found = set.outputs.find(name);
    if (found == set.outputs.end())
      cluster::throw_usage("the statistics of the " + what + " images are not of output " + name);
    analysis::check_features(found->second, what, 2);
    return analysis::feature_statistics(found->second, protocol_.ddof);
  }

  Estimate frechet(const std::string& name) const {
    const auto made = generated_.outputs.find(name), real = reference_.outputs.find(name);
    if (made != generated_.outputs.end() && real != reference_.outputs.end()) {
      if (options_.resamples == 0)
        return {analysis::frechet_distance(made->second, real->second, protocol_.ddof), kNone};
      return analysis::frechet_estimate(made->second, real->second, options_.seed,
                                        options_.resamples, protocol_.ddof);
    }
    return {analysis::frechet_distance(statistics(generated_, name, "generated"),
                                       statistics(reference_, name, "reference")),
            kNone};
  }

  Estimate kernel(const std::string& metric) const {
    const Tensor &made = features(generated_, "generated", metric),
                 &real = features(reference_, "reference", metric);
    if (protocol_.kid_subsets == 0) return analysis::kernel_estimate(made, real);
    analysis::KernelSubsets subsets{protocol_.kid_subsets, protocol_.kid_size,
                                    analysis::DrawnFirst::generated};
    if (protocol_.kid_capped) {
      subsets.size = std::min({subsets.size, made.size(0), real.size(0)});
    } else if (std::min(made.size(0), real.size(0)) < subsets.size) {
      cluster::throw_usage("kid of protocol " + protocol_.name + " draws subsets of " +
                           std::to_string(subsets.size) + " images; there are " +
                           std::to_string(made.size(0)) + " generated and " +
                           std::to_string(real.size(0)) +
                           " reference images (--kid-subset-size makes them smaller)");
    }
    analysis::NumpyRandom random(protocol_.kid_seed);
    const double mean =
        analysis::kernel_distances(made, real, subsets, random).mean().item<double>();
    // Subsets overlap, so their spread is no error of the mean; that of all pairs is.
    return {mean,
            options_.resamples == 0 ? kNone : analysis::kernel_estimate(made, real).standard_error};
  }

  Estimate inception() const {
    const Tensor& logits = output(generated_, kLogits, "generated", "inception_score");
    const double mean =
        analysis::inception_score(logits, protocol_.is_splits, protocol_.is_shuffle).mean;
    return {mean, options_.resamples == 0
                      ? kNone
                      : analysis::inception_estimate(logits, options_.seed, options_.resamples)
                            .standard_error};
  }

  Estimate vendi() const {
    const Tensor& made = features(generated_, "generated", "vendi");
    if (options_.resamples == 0) return {analysis::vendi_score(made), kNone};
    return analysis::vendi_estimate(made, options_.seed, options_.resamples);
  }

  Estimate manifold(const std::string& metric) {
    if (!manifold_) {
      const auto rounded = [&](const Tensor& values) {
        return protocol_.manifold_half ? values.to(torch::kHalf).to(torch::kFloat32) : values;
      };
      manifold_ = analysis::manifold_metrics(rounded(features(generated_, "generated", metric)),
                                             rounded(features(reference_, "reference", metric)),
                                             protocol_.pr_neighbours, protocol_.dc_neighbours);
    }
    const auto& [shares, density] = *manifold_;
    if (metric == "precision") return shares.precision;
    if (metric == "recall") return shares.recall;
    if (metric == "density") return density.density;
    if (metric == "coverage") return density.coverage;
    MARQUEE_CHECK(metric == "f_score", "a metric that nothing computes: " + metric);
    return {analysis::f_score(shares.precision.value, shares.recall.value), kNone};
  }

  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();  // no standard error

  const Protocol& protocol_;
  const MeasuredSet &generated_, &reference_;
  const ScoreOptions& options_;
  std::optional<analysis::ManifoldMetrics> manifold_;
};

}  // namespace

bool is_of_manifold_network(const Protocol& protocol, const std::string& metric) {
  return !protocol.manifold_network.empty() && (metric == "precision" || metric == "recall");
}

std::string main_output(const Protocol& protocol) {
  return protocol.network == "inception" ? protocol.layer : "features";
}

std::vector<std::string> outputs_needed(const Protocol& protocol,
                                        const std::vector<std::string>& metrics) {
  std::set<std::string> outputs;
  for (const std::string& metric : metrics) {
    if (std::find(protocol.metrics.begin(), protocol.metrics.end(), metric) ==
        protocol.metrics.end()) {
      cluster::throw_usage("protocol " + protocol.name + " has no metric '" + metric + "'" +
                           cluster::did_you_mean(metric, protocol.metrics) + "; it has " +
                           cluster::join(protocol.metrics));
    }
    outputs.insert(output_of(protocol, metric));
  }
  return {outputs.begin(), outputs.end()};
}

std::vector<MetricValue> score(const Protocol& protocol, const std::vector<std::string>& metrics,
                               const MeasuredSet& generated, const MeasuredSet& reference,
                               const std::string& network_hash, const ScoreOptions& options) {
  outputs_needed(protocol, metrics);
  Scorer scorer(protocol, generated, reference, options);
  std::vector<MetricValue> values;
  for (const std::string& metric : metrics) {
    const Estimate estimate = scorer.value(metric);
    if (!std::isfinite(estimate.value))
      cluster::throw_environment(metric + " is not finite; the images may all be alike");
    MetricValue value{
        metric,
        estimate.value,
        estimate.standard_error,
        generated.images,
        reference.images,
        protocol.name,
        is_of_manifold_network(protocol, metric) ? options.manifold_network_hash : network_hash};
    if (!std::isfinite(estimate.standard_error)) value.standard_error.reset();
    values.push_back(std::move(value));
  }
  return values;
}

}  // namespace marquee::workers
