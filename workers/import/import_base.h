// Makes a base of checkpoints that other projects published: checks every tensor's name and shape,
// converts layout and type, writes safetensors and a manifest that says where they come from.
#pragma once

#include <filesystem>
#include <string>

#include "experiments/base_manifest.h"
#include "workers/import/known_bases.h"
#include "workers/import/source_network.h"

namespace marquee::workers {

// Of the writer: raised when the same file would be converted to other values.
inline constexpr int kConverterVersion = 1;

struct ImportRequest {
  std::string name;  // of the base; that of a known one fixes all sizes
  std::string kind;  // maskgit or taming
  // Of a taming model the transformer's file may hold the tokenizer too; then `tokenizer` is empty.
  std::filesystem::path transformer, tokenizer;
  std::int64_t heads = 0;                    // taming: visible in no weight
  std::int64_t classes = 0;                  // taming: likewise
  torch::ScalarType type = torch::kFloat32;  // of the transformer that is written, or bfloat16
};

// What is in the files, checked but not converted.
struct CheckedImport {
  ImportRequest request;
  BaseTokenizer::Config tokenizer_config;
  AnyTransformerConfig transformer_config;
  SourceNetwork tokenizer, transformer;
};

// Reads names and shapes only. Throws usage for options that do not fit, environment naming file
// and tensor for what is damaged, missing or of another shape.
CheckedImport check_import(const ImportRequest& request);

// Writes assets/<name>, whole or not at all, and reads it back. Throws usage when it is there
// already. At no time is more than one tensor converted in memory.
experiments::BaseManifest write_import(const CheckedImport& import,
                                       const std::filesystem::path& assets);

}  // namespace marquee::workers
