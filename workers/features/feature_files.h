// Feature networks in the assets folder: assets/features/<name>/{manifest.json, weights}, made by
// `marquee import features`.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "experiments/protocols.h"
#include "workers/features/feature_network.h"

namespace marquee::workers {

struct FeatureImport {
  std::filesystem::path file;  // of whoever published it
  std::string kind;            // inception or torchscript
  std::string name;            // of the folder
  bool trusted = false;        // what is not a file that everybody knows
  ScriptInput script{};        // torchscript
};

struct FeatureManifest {
  std::filesystem::path folder;
  std::string name, kind, sha256;  // of the weights here
  std::string source_file, source_sha256, published_as;
};

// Checks names, shapes and the hash of the file, writes the folder whole or not at all. Throws
// usage where the file is none of the published ones and is not trusted, environment naming file
// and tensor for what does not fit.
FeatureManifest import_features(const FeatureImport& import, const std::filesystem::path& assets);

// Of a protocol: Inception (assets/features/inception), or the network of base `mini`. `named`: a
// folder below assets/features, or a weight file, instead. Throws environment saying how to get the
// network where it is not there.
//
// A TorchScript module is for protocols of that network alone (experiments::with_network).
std::unique_ptr<FeatureNetwork> load_feature_network(const experiments::Protocol& protocol,
                                                     const std::filesystem::path& assets,
                                                     const std::string& named,
                                                     torch::ScalarType compute);

// The TorchScript module below assets/features; nothing where no network of that name is there, or
// one of another kind. Throws environment naming the file for a damaged one.
std::unique_ptr<FeatureNetwork> find_script_network(const std::filesystem::path& assets,
                                                    const std::string& name);

}  // namespace marquee::workers
