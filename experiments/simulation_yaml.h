// The block `simulate` of a sweep file.
#pragma once

#include <yaml-cpp/yaml.h>

#include "experiments/simulation.h"
#include "experiments/yaml_source.h"

namespace marquee::experiments {

// Throws usage "FILE:LINE: ..." for unknown words and impossible values.
Simulation read_simulation(const YamlSource& source, const YAML::Node& node);

}  // namespace marquee::experiments
