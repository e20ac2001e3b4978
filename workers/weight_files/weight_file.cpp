#include "workers/weight_files/weight_file.h"

#include <cstring>

#include "cluster/error.h"
#include "cluster/text.h"
#include "workers/weight_files/flax_file.h"
#include "workers/weight_files/safetensors_file.h"

namespace marquee::workers {
namespace {

bool is_pytorch_checkpoint(std::string_view bytes) {
  // A zip archive, or, of older versions, a pickle of protocol 2 to 5. A flax checkpoint may begin
  // with 0x80 too, an empty map: then nothing follows.
  const bool pickle = bytes.size() > 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5;
  return bytes.starts_with(std::string_view("PK\x03\x04")) || pickle;
}

}  // namespace

const StoredTensor& WeightFile::tensor(const std::string& name) const {
  const auto found = tensors.find(name);
  if (found != tensors.end()) return found->second;
  const auto reason = unsupported.find(name);
  const std::string what = source + ": tensor '" + cluster::printable(name) + "' is ";
  if (reason == unsupported.end()) cluster::throw_environment(what + "missing");
  cluster::throw_environment(what + reason->second + ", which is not read here");
}

WeightFile open_weight_file(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    cluster::throw_environment(path.string() +
                               ": is a folder (a checkpoint of Orbax?); one file of safetensors or "
                               "flax msgpack is expected");
  }
  auto file = cluster::MappedFile::open(path);
  const std::string_view bytes = file->bytes();
  if (is_pytorch_checkpoint(bytes)) {
    cluster::throw_environment(path.string() +
                               ": is a PyTorch checkpoint (torch.save), which is not read here; "
                               "convert it to safetensors first, docs/models.md says how");
  }
  WeightFile weights;
  if (looks_like_safetensors(bytes)) {
    weights = parse_safetensors(bytes, path.string());
  } else if (looks_like_flax(bytes)) {
    weights = parse_flax(bytes, path.string());
  } else {
    cluster::throw_environment(
        path.string() + (bytes.empty()
                             ? ": is empty"
                             : ": is neither a safetensors file nor a flax msgpack checkpoint"));
  }
  weights.file = std::move(file);
  return weights;
}

}  // namespace marquee::workers
