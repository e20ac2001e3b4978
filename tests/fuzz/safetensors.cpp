// The safetensors format: what is read lies inside the file, and comes back when it is written.
#include "cluster/mapped_file.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/weights.h"
#include "workers/weight_files/safetensors_file.h"
#include "workers/weight_files/safetensors_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace marquee;
  const std::string_view bytes = fuzz::text_of(data, size);
  workers::WeightFile read;
  fuzz::count_error(
      fuzz::expect_answer([&] { read = workers::parse_safetensors(bytes, "weights"); }));
  fuzz::check_weights(read, bytes);
  if (read.tensors.empty() || read.tensors.size() > 50) return 0;

  const auto path = fuzz::file_with("weights.safetensors", "");
  std::map<std::string, workers::TensorLayout> layouts(read.tensors.begin(), read.tensors.end());
  workers::SafetensorsWriter writer(path, layouts, read.metadata);
  for (const std::string& name : writer.order())
    writer.append(name, read.tensor(name).parts.front());
  writer.commit();
  const auto file = cluster::MappedFile::open(path);
  const workers::WeightFile again = workers::parse_safetensors(file->bytes(), "again");
  if (again.metadata != read.metadata || again.tensors.size() != read.tensors.size())
    __builtin_trap();
  for (const auto& [name, tensor] : again.tensors) {
    const workers::StoredTensor& before = read.tensor(name);
    const bool same = static_cast<const workers::TensorLayout&>(tensor) == before &&
                      tensor.parts == before.parts && tensor.aligned();
    if (!same) __builtin_trap();
  }
  return 0;
}
