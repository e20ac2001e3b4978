// Feature networks that come from elsewhere: into the assets folder, and out of it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "experiments/feature_manifest.h"
#include "experiments/protocols.h"
#include "experiments/run_config.h"
#include "workers/base_model.h"
#include "workers/features/feature_network.h"

namespace marquee::workers {

struct FeatureImport {
  std::filesystem::path file;  // of whoever published it
  std::string kind;            // inception or torchscript
  std::string name;            // of the folder
  bool trusted = false;        // what is not a file that everybody knows
  ScriptInput script{};        // torchscript
};

// Checks names, shapes and the hash of the file, writes the folder whole or not at all. Throws
// usage where the file is none of the published ones and is not trusted, environment naming file
// and tensor for what does not fit.
experiments::FeatureManifest import_features(const FeatureImport& import,
                                             const std::filesystem::path& assets);

// Of a protocol: Inception (assets/features/inception), or the network of base `mini`. `named`: a
// folder below assets/features, or a weight file, instead. Throws environment saying how to get the
// network where it is not there.
//
// A TorchScript module is for protocols of that network alone (experiments::with_network).
std::unique_ptr<FeatureNetwork> load_feature_network(const experiments::Protocol& protocol,
                                                     const std::filesystem::path& assets,
                                                     const std::string& named,
                                                     torch::ScalarType compute);

// Of a run's protocol: that of its base, or the FID Inception in fp32. Throws environment where it
// is not there.
std::unique_ptr<FeatureNetwork> network_of_run(const experiments::RunConfig& run,
                                               const BaseModel& base,
                                               const std::filesystem::path& assets);
// The TorchScript module below assets/features; nothing where no network of that name is there, or
// one of another kind. Throws environment naming the file for a damaged one.
std::unique_ptr<FeatureNetwork> find_script_network(const std::filesystem::path& assets,
                                                    const std::string& name);

}  // namespace marquee::workers
