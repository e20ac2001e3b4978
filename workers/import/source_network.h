// One network inside a checkpoint of another project: its tensors under our names, in our layout.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "workers/models/parameters.h"
#include "workers/weight_files/weight_file.h"

namespace marquee::workers {

struct SourceTensor {
  StoredTensor stored;
  std::string name;   // in the file
  bool hwio = false;  // a convolution kernel of flax, [H, W, in, out]

  std::vector<std::int64_t> shape() const;  // as ours: convolutions [out, in, H, W]
  std::int64_t numbers() const;
};

struct SourceNetwork {
  std::string source;                               // of the file, for messages
  std::string format, layout;                       // "flax msgpack", "maskgit"
  std::string prefix;                               // of the names in the file: "params/"
  std::shared_ptr<const cluster::MappedFile> file;  // where the tensors are, if it is mapped
  std::shared_ptr<const void> memory;               // keeps what the tensors' views point into
  std::map<std::string, SourceTensor> tensors;      // by our names

  std::int64_t numbers() const;  // in all tensors

  // Throws environment naming file and tensor unless there are exactly the tensors of `expected`,
  // of its shapes.
  void check(const ShapeMap& expected) const;
  // Of the type wanted, contiguous, in memory of its own. Throws environment naming file and tensor
  // where a number is not finite.
  Tensor load(const std::string& name, torch::ScalarType type) const;
};

// A tokenizer or transformer of MaskGIT: what stands below `params` of a flax checkpoint.
SourceNetwork maskgit_network(const WeightFile& file);

// The networks of a taming-transformers checkpoint; empty where there is none. What inference does
// not need (loss.*, *.attn.mask, *.num_batches_tracked) is left out.
struct TamingNetworks {
  SourceNetwork transformer, tokenizer;
};
TamingNetworks taming_networks(const WeightFile& file);

}  // namespace marquee::workers
