#include "workers/weight_files/weight_file.h"

#include "cluster/error.h"
#include "cluster/text.h"
#include "workers/weight_files/flax_file.h"
#include "workers/weight_files/safetensors_file.h"
#include "workers/weight_files/torch_file.h"

namespace marquee::workers {
namespace {

// A flax checkpoint may begin with 0x80 too, an empty map: then nothing follows.
bool is_pickle(std::string_view bytes) {
  return bytes.size() > 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5;
}

}  // namespace

std::shared_ptr<const void> WeightFile::memory() const {
  if (file) return file;
  return std::make_shared<const decltype(unpacked)>(unpacked);
}

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
  WeightFile weights;
  if (looks_like_torch_zip(bytes)) return parse_torch_zip(path);
  if (looks_like_torch_pickles(bytes)) {
    weights = parse_torch_pickles(bytes, path.string());
  } else if (is_pickle(bytes)) {
    cluster::throw_environment(path.string() +
                               ": is a pickle, but not one that torch.save wrote of tensors; "
                               "convert it to safetensors first, docs/models.md says how");
  } else if (looks_like_safetensors(bytes)) {
    weights = parse_safetensors(bytes, path.string());
  } else if (looks_like_flax(bytes)) {
    weights = parse_flax(bytes, path.string());
  } else {
    cluster::throw_environment(
        path.string() + (bytes.empty()
                             ? ": is empty"
                             : ": is no safetensors file, flax msgpack checkpoint or PyTorch "
                               "file of tensors"));
  }
  weights.file = std::move(file);
  return weights;
}

}  // namespace marquee::workers
