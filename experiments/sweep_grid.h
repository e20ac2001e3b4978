// The grids of a sweep file: lists of values under `matrix`, `zip` and `include`, every combination
// of which is a run.
#pragma once

#include <string>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "experiments/yaml_source.h"

namespace marquee::experiments {

// Some keys chosen together, in as many ways as the vector is long.
struct GridFactor {
  std::vector<std::string> keys;
  std::vector<std::vector<Setting>> choices;  // [way][key]
};

// The product of its factors.
using Grid = std::vector<GridFactor>;

// Whether every run of a grid must be given this key: task, shots, method, seed.
bool is_required_axis(const std::string& key);

// Of `matrix` and `zip`, at least one of which is there. Throws usage "FILE:LINE: ..." for unknown
// keys, what is no list, a key that is given twice, and a required axis that is not.
Grid read_grid(const YamlSource& source);
// Of one entry of `include`, where a single value is a list of one. Throws likewise.
Grid read_included_grid(const YamlSource& source, const YAML::Node& entry);

}  // namespace marquee::experiments
