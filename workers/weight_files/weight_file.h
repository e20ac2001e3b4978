// Weights that somebody saved, of any format read here, as one map of named tensors over the mapped
// file: nothing is copied, and of a file of gigabytes only what is looked at is read. The file may
// come from anywhere: whatever it claims is checked before it is used.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/mapped_file.h"
#include "workers/weight_files/stored_tensor.h"

namespace marquee::workers {

// Bounds of every reader: tensors and other values of a file, bytes of a name.
inline constexpr std::size_t kMaxStoredTensors = 100'000;
inline constexpr std::size_t kMaxTensorNameBytes = 1024;

struct WeightFile {
  std::string source;                               // for messages: the path
  std::string format;                               // "safetensors", "flax msgpack", ...
  std::shared_ptr<const cluster::MappedFile> file;  // what the tensors' views point into,
  std::vector<std::shared_ptr<const std::string>> unpacked{};  // or this, of archives
  std::map<std::string, StoredTensor> tensors;                 // names are UTF-8
  // What is there under a name but is no tensor of a type read here: what it is instead. Matters
  // only to who wants it.
  std::map<std::string, std::string> unsupported;
  // safetensors: `__metadata__`. flax: numbers and texts outside tensors (`step`), as text.
  std::map<std::string, std::string> metadata;

  // Keeps what the tensors' views point into.
  std::shared_ptr<const void> memory() const;

  // Throws environment naming file and tensor when it is missing or unsupported.
  const StoredTensor& tensor(const std::string& name) const;
};

// safetensors, flax msgpack, or what torch.save wrote of a dictionary of tensors; told by the
// content, not by the name. Throws environment naming the file, and the tensor where it is one, for
// a file that is damaged or cut off, of another format, or a PyTorch checkpoint that holds more
// than tensors in dictionaries (a pickle can run code: that part of it is not read, docs/models.md
// says how to convert it).
WeightFile open_weight_file(const std::filesystem::path& path);

}  // namespace marquee::workers
