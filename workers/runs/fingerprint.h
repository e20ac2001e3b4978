// What bits depend on besides the configuration: stored beside every result. Bit equality is
// promised between equal fingerprints.
#pragma once

#include <nlohmann/json.hpp>

namespace marquee::workers {

nlohmann::json fingerprint(int threads);

}  // namespace marquee::workers
