#include "workers/safetensors.h"

#include "cluster/mapped_file.h"
#include "workers/mapped_tensor.h"
#include "workers/weight_files/safetensors_file.h"
#include "workers/weight_files/safetensors_writer.h"

namespace marquee::workers {

ParameterMap read_safetensors(const std::filesystem::path& path) {
  const auto file = cluster::MappedFile::open(path);
  file->read_ahead();
  const WeightFile weights = parse_safetensors(file->bytes(), path.string());
  ParameterMap tensors;
  for (const auto& [name, stored] : weights.tensors) tensors[name] = mapped_tensor(stored, file);
  return tensors;
}

std::string write_safetensors(const std::filesystem::path& path, const ParameterMap& tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::map<std::string, TensorLayout> layouts;
  for (const auto& [name, tensor] : tensors) layouts[name] = layout_of(tensor);
  SafetensorsWriter writer(path, layouts, metadata);
  for (const std::string& name : writer.order()) {
    const Tensor values = tensors.at(name).detach().to(torch::kCPU).contiguous();
    writer.append(name, {static_cast<const char*>(values.const_data_ptr()), values.nbytes()});
  }
  return writer.commit();
}

}  // namespace marquee::workers
