// How a metric is computed, by name: the field's tools differ in the network's input, in sample
// counts, estimators and neighbourhoods, and every difference moves the number. A protocol fixes
// all of it; numbers of two protocols never stand in one column. docs/metrics.md sets them side by
// side.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace marquee::experiments {

inline constexpr const char* kVtabProtocol = "vtab";
inline constexpr const char* kMiniNetwork = "mini";  // the small network of a base

struct Protocol {
  std::string name;     // as it is stored: "clean-fid"
  std::string follows;  // the tool, its version and mode
  // Whether golden values of the tool stand behind it; if not, why.
  bool verified = true;
  std::string unverified_because{};

  std::string network = "inception";  // or mini, torchscript
  std::string resize{}, range{};      // of inception: a resize rule's name; tensorflow or unit
  bool crop = false;                  // of inception: to the central square first
  std::string layer = "2048";         // of inception: what distances are taken between
  bool mixed_sizes = false;           // the tool takes images of several sizes
  // In a sweep, generated images have the reference's shares of classes; else classes in turn.
  bool reference_prior = false;

  std::vector<std::string> metrics;  // in the order of tables
  int ddof = 1;                      // of covariances

  // Kernel distance: mean over random subsets; 0 subsets: over all pairs.
  std::int64_t kid_subsets = 0, kid_size = 0;
  bool kid_capped = false;  // smaller sets make smaller subsets, else they are refused
  std::uint32_t kid_seed = 0;

  int is_splits = 1;
  std::optional<std::uint32_t> is_shuffle{};  // seed

  // Precision and recall are of the features of this TorchScript network instead, which takes
  // levels of the images' own size; empty: of the network that the rest is of.
  std::string manifold_network{};
  bool manifold_half = false;  // its features are rounded to float16
  int pr_neighbours = 3;       // distances <= radius
  int dc_neighbours = 5;       // distances < radius
};

// Generated images of fid_infinity: with fewer, the sizes of its subsets hardly differ.
inline constexpr std::int64_t kFewestForInfinity = 30;

const std::vector<Protocol>& protocols();
// Generated images that its metrics need at least.
std::int64_t fewest_images(const Protocol& protocol);
// Whether a sweep can measure by it: images of its tasks have several sizes.
bool fits_sweeps(const Protocol& protocol);
std::vector<std::string> protocol_names();
const Protocol* find_protocol(std::string_view name);
// Throws usage naming the known ones.
const Protocol& protocol_named(std::string_view name);

// `protocol` with another network than the tool's, called `network`: its numbers are not the
// tool's, and its name says so. Metrics of Inception's other outputs go. Throws usage where the
// protocol is of a network of its own.
Protocol with_network(Protocol protocol, const std::string& network);

}  // namespace marquee::experiments
