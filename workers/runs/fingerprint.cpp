#include "workers/runs/fingerprint.h"

#include <hdf5.h>

#include <ATen/Version.h>
#include <torch/version.h>

#include "cluster/build_info.h"
#include "cluster/host.h"
#include "workers/device.h"

namespace marquee::workers {

nlohmann::json fingerprint(int threads, const torch::Device& device) {
  nlohmann::json known = {{"cpu", cluster::cpu_model()},
                          {"instruction_set", at::get_cpu_capability()},
                          {"threads", threads},
                          {"torch", TORCH_VERSION},
                          {"hdf5", H5_VERS_INFO},
                          {"marquee", std::string(cluster::build_version())},
                          {"compiler", std::string(cluster::build_compiler())}};
  known.update(describe_device(device));
  return known;
}

}  // namespace marquee::workers
