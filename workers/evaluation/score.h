// The metrics of a protocol, from features.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/metrics/frechet.h"
#include "experiments/protocols.h"
#include "experiments/result_record.h"
#include "workers/features/feature_network.h"

namespace marquee::workers {

inline constexpr const char* kSpatialOutput = "spatial";  // of Inception: what sfid is taken of

// What is known of a set of images: its features, or the statistics that somebody stored.
struct MeasuredSet {
  FeatureOutputs outputs;                                           // empty with statistics
  std::map<std::string, analysis::FeatureStatistics> statistics{};  // by output
  std::int64_t images = 0;                                          // 0: not known
  std::string content_hash{};  // of the images where it was asked for, or of the statistics file
};

// The network's output that distances are taken between.
std::string main_output(const experiments::Protocol& protocol);
// Whether it is computed from features of the protocol's manifold_network.
bool is_of_manifold_network(const experiments::Protocol& protocol, const std::string& metric);
// The outputs that `metrics` are computed from; that of the manifold network has its name. Throws
// usage for a metric that the protocol does not have.
std::vector<std::string> outputs_needed(const experiments::Protocol& protocol,
                                        const std::vector<std::string>& metrics);

struct ScoreOptions {
  std::uint64_t seed = 0;               // of the bootstrap and of subsets that no tool prescribes
  int resamples = 20;                   // of the bootstrap; 0: no standard errors
  std::string manifold_network_hash{};  // where metrics are of one
};

// In the order of `metrics`. Throws usage where a set is too small for a metric or holds statistics
// where features are needed, environment where features are not finite.
std::vector<experiments::MetricValue> score(const experiments::Protocol& protocol,
                                            const std::vector<std::string>& metrics,
                                            const MeasuredSet& generated,
                                            const MeasuredSet& reference,
                                            const std::string& network_hash,
                                            const ScoreOptions& options);

}  // namespace marquee::workers
