// What bits depend on besides the configuration: stored beside every result. Bit equality is
// promised between equal fingerprints.
#pragma once

#include <nlohmann/json.hpp>

#include "workers/torch.h"

namespace marquee::workers {

nlohmann::json fingerprint(int threads, const torch::Device& device);

}  // namespace marquee::workers
