// From images to what metrics are computed of: features through a network, kept by content.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "workers/evaluation/image_source.h"
#include "workers/evaluation/score.h"
#include "workers/tuning/token_cache.h"

namespace marquee::workers {

struct MeasureOptions {
  std::int64_t batch = 32;
  bool mixed_sizes = false;     // else images of two sizes are refused, naming both
  std::filesystem::path cache;  // features-<key>.h5; empty: nothing is kept
  bool identify = false;        // fill content_hash, which reads every image once more
};

// Features of all images, in order. Where `cache` holds them for these images (by content), network
// and input rule, they are read from there. Two processes that make the same at once write the same
// file, aside and renamed; a damaged one is made again.
MeasuredSet measure(const ImageSource& source, const FeatureNetwork& network,
                    const std::vector<std::string>& outputs, const MeasureOptions& options,
                    const CountProgress& progress);

// A statistics file (.npz) of pytorch-fid, clean-fid or ADM: `mu` and `sigma` of output `name`,
// and, where it has them, `mu_s` and `sigma_s` of "spatial". Throws environment naming file and
// array for what does not fit, and where the file says (as ours do) that it is of another network
// or input rule than `network`.
MeasuredSet read_statistics(const std::filesystem::path& file, const std::string& name,
                            const FeatureNetwork* network = nullptr);
// Whether an .npz file holds statistics (and not images).
bool holds_statistics(const std::filesystem::path& file);

// `mu`, `sigma` and the others as .npz, which numpy.load and the tools read, with the network's
// hash and input rule as arrays of UTF-8 bytes. Durable.
void write_statistics(const std::filesystem::path& file, const MeasuredSet& set,
                      const experiments::Protocol& protocol, const FeatureNetwork& network);

}  // namespace marquee::workers
