#include "workers/safetensors.h"

#include <cstring>

#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/error.h"

namespace marquee::workers {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{16} << 30;
constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{64} << 20;
constexpr std::size_t kLengthBytes = 8;

struct TypeName {
  const char* name;
  torch::ScalarType type;
};
constexpr TypeName kTypes[] = {
    {"F16", torch::kFloat16}, {"BF16", torch::kBFloat16}, {"F32", torch::kFloat32},
    {"F64", torch::kFloat64}, {"I64", torch::kInt64},     {"I32", torch::kInt32},
    {"I16", torch::kInt16},   {"I8", torch::kInt8},       {"U8", torch::kUInt8}};

const TypeName* type_named(const std::string& name) {
  for (const TypeName& type : kTypes) {
    if (name == type.name) return &type;
  }
  return nullptr;
}

}  // namespace

ParameterMap read_safetensors(const std::filesystem::path& path) {
  const std::string bytes = cluster::read_file(path, kMaxFileBytes);
  const auto fail = [&](const std::string& what) {
    cluster::throw_environment(path.string() + ": " + what);
  };
  if (bytes.size() < kLengthBytes) fail("too short for a safetensors file");
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > bytes.size() - kLengthBytes) {
    fail("header of " + std::to_string(header_bytes) + " bytes does not fit the file");
  }
  const char* text = bytes.data() + kLengthBytes;
  const json header = json::parse(text, text + header_bytes, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) fail("header is no JSON object");
  const std::uint64_t data_bytes = bytes.size() - kLengthBytes - header_bytes;
  const char* data = text + header_bytes;

  ParameterMap tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const auto bad = [&](const std::string& what) { fail("tensor '" + name + "': " + what); };
    const bool whole = entry.is_object() && entry.contains("dtype") && entry["dtype"].is_string() &&
                       entry.contains("shape") && entry["shape"].is_array() &&
                       entry.contains("data_offsets") && entry["data_offsets"].is_array() &&
                       entry["data_offsets"].size() == 2;
    if (!whole) bad("expected dtype, shape and two data_offsets");
    const TypeName* type = type_named(entry["dtype"].get<std::string>());
    if (type == nullptr) bad("dtype " + entry["dtype"].dump() + " is not read here");
    std::vector<std::int64_t> shape;
    std::uint64_t expected = torch::elementSize(type->type);
    for (const json& extent : entry["shape"]) {
      if (!extent.is_number_unsigned() || shape.size() >= 8)
        bad("shape is no list of at most 8 sizes");
      const auto size = extent.get<std::uint64_t>();
      if (size != 0 && expected > data_bytes / size) bad("shape is larger than the file");
      expected *= size;
      shape.push_back(static_cast<std::int64_t>(size));
    }
    const json& offsets = entry["data_offsets"];
    if (!offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned())
      bad("data_offsets are no positions");
    const auto begin = offsets[0].get<std::uint64_t>(), end = offsets[1].get<std::uint64_t>();
    if (begin > end || end > data_bytes || end - begin != expected)
      bad("data_offsets do not match shape and file");
    Tensor tensor = torch::empty(shape, type->type);
    if (expected > 0) std::memcpy(tensor.data_ptr(), data + begin, expected);
    tensors[name] = tensor;
  }
  return tensors;
}

void write_safetensors(const std::filesystem::path& path, const ParameterMap& tensors) {
  json header = json::object();
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const Tensor values = tensor.detach().to(torch::kCPU).contiguous();
    const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeName& t) {
      return t.type == values.scalar_type();
    });
    MARQUEE_CHECK(type != std::end(kTypes), "safetensors: type of '" + name + "'");
    const std::size_t begin = data.size();
    data.append(static_cast<const char*>(values.data_ptr()), values.nbytes());
    header[name] = {{"dtype", type->name},
                    {"shape", values.sizes().vec()},
                    {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  std::string bytes(kLengthBytes, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  cluster::write_file_durably(path, bytes + text + data);
}

}  // namespace marquee::workers
