#include "workers/weight_files/safetensors_writer.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "cluster/text.h"
#include "workers/weight_files/safetensors_file.h"

namespace marquee::workers {
namespace {

constexpr std::size_t kDataAlignment = 64;

std::string quoted(const std::string& text) {
  // Paths and such may be no UTF-8.
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     const std::map<std::string, TensorLayout>& tensors,
                                     const std::map<std::string, std::string>& metadata)
    : file_(path) {
  MARQUEE_CHECK(tensors.size() <= kMaxStoredTensors, "safetensors: number of tensors");
  for (const auto& [name, layout] : tensors) order_.push_back(name);
  std::stable_sort(order_.begin(), order_.end(), [&](const std::string& a, const std::string& b) {
    return element_bytes(tensors.at(a).type) > element_bytes(tensors.at(b).type);
  });

  std::string header = "{";
  if (!metadata.empty()) {
    header += quoted(std::string(kSafetensorsMetadata)) + ":{";
    for (const auto& [key, value] : metadata) header += quoted(key) + ":" + quoted(value) + ",";
    header.back() = '}';
    header += ",";
  }
  std::uint64_t offset = 0;
  for (const std::string& name : order_) {
    const TensorLayout& layout = tensors.at(name);
    const std::optional<std::uint64_t> size = size_bytes(layout);
    MARQUEE_CHECK(size && name.size() <= kMaxTensorNameBytes && !cluster::invalid_utf8(name) &&
                      name != kSafetensorsMetadata,
                  "safetensors: name or shape of '" + name + "'");
    header += quoted(name) + ":{\"dtype\":\"" + std::string(safetensors_name(layout.type)) +
              "\",\"shape\":" + nlohmann::json(layout.shape).dump() + ",\"data_offsets\":[" +
              std::to_string(offset) + "," + std::to_string(offset + *size) + "]},";
    offset += *size;
    missing_.push_back(*size);
  }
  if (header.back() == ',') header.pop_back();
  header += "}";
  std::uint64_t length = 0;
  const std::size_t beyond = (sizeof length + header.size()) % kDataAlignment;
  header.append((kDataAlignment - beyond) % kDataAlignment, ' ');
  length = header.size();
  write({reinterpret_cast<const char*>(&length), sizeof length});
  write(header);
}

void SafetensorsWriter::append(const std::string& name, std::string_view bytes) {
  while (at_ < order_.size() && order_[at_] != name && missing_[at_] == 0) ++at_;
  MARQUEE_CHECK(at_ < order_.size() && order_[at_] == name && bytes.size() <= missing_[at_],
                "safetensors: bytes of '" + name + "' out of order or too many");
  missing_[at_] -= bytes.size();
  write(bytes);
}

std::string SafetensorsWriter::commit() {
  MARQUEE_CHECK(
      std::all_of(missing_.begin(), missing_.end(), [](std::uint64_t n) { return n == 0; }),
      "safetensors: tensors without all of their bytes");
  file_.commit();
  return hash_.hex();
}

void SafetensorsWriter::write(std::string_view bytes) {
  file_.append(bytes);
  hash_.update(bytes);
}

}  // namespace marquee::workers
