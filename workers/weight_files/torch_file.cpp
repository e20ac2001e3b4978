#include "workers/weight_files/torch_file.h"

#include <map>
#include <optional>
#include <utility>

#include "cluster/archive_reader.h"
#include "cluster/error.h"
#include "cluster/text.h"
#include "workers/weight_files/pickle.h"

namespace marquee::workers {
namespace {

using Kind = PickledValue::Kind;

constexpr std::uint64_t kMaxPickleBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxStorageBytes = std::uint64_t{32} << 30;
constexpr std::size_t kMaxDepth = 32;
// What torch.save begins the older form with: as an integer of a pickle, and the version behind it.
constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::int64_t kProtocolVersion = 1001;

[[noreturn]] void fail(const std::string& source, const std::string& what) {
  cluster::throw_environment(source + ": " + what);
}

// Where a storage's bytes are, by its key; null where the file has none of that key.
using Storages = std::map<std::string, std::string_view>;

// A view of the storage when its elements lie in row-major order without gaps; else nothing.
std::optional<std::string_view> view_of(const PickledTensor& tensor, std::string_view storage,
                                        const std::string& what, const std::string& source) {
  const TensorLayout layout{tensor.storage.type, tensor.shape};
  const auto bytes = size_bytes(layout);
  if (!bytes) fail(source, what + ": a shape that is none, " + shape_text(tensor.shape));
  if (tensor.strides.size() != tensor.shape.size())
    fail(source, what + ": strides do not go with the shape");
  std::int64_t stride = 1;
  for (std::size_t axis = tensor.shape.size(); axis-- > 0;) {
    if (tensor.shape[axis] > 1 && tensor.strides[axis] != stride) return std::nullopt;
    stride *= std::max<std::int64_t>(tensor.shape[axis], 1);
  }
  const std::uint64_t element = element_bytes(layout.type);
  const bool inside =
      tensor.offset >= 0 && static_cast<std::uint64_t>(tensor.offset) <= storage.size() / element &&
      *bytes <= storage.size() - static_cast<std::uint64_t>(tensor.offset) * element;
  if (!inside) fail(source, what + ": reaches beyond its storage");
  return storage.substr(static_cast<std::size_t>(tensor.offset) * element,
                        static_cast<std::size_t>(*bytes));
}

// Fills a WeightFile from the dictionaries of a pickle.
class Collector {
 public:
  Collector(const Storages& storages, WeightFile& weights)
      : storages_(storages), weights_(weights) {}

  void collect(const PickledValue& value, const std::string& name, std::size_t depth) {
    if (++seen_ > 4 * kMaxStoredTensors) fail(weights_.source, "holds more than 400,000 values");
    if (depth > kMaxDepth) fail(weights_.source, "is nested more than 32 deep");
    switch (value.kind) {
      case Kind::dictionary:
        for (const auto& [key, entry] : value.entries) {
          if (key->kind != Kind::text && key->kind != Kind::integer)
            fail(weights_.source, at(name) + "a key that is neither text nor integer");
          std::string part = key->kind == Kind::text ? key->text : std::to_string(key->integer);
          if (part.empty() || part.size() > kMaxTensorNameBytes || cluster::invalid_utf8(part))
            fail(weights_.source, at(name) + "a key that is empty, above 1,024 bytes or no UTF-8");
          std::string whole = name.empty() ? std::move(part) : name + "." + part;
          if (whole.size() > kMaxTensorNameBytes)
            fail(weights_.source, at(name) + "keys that make a name above 1,024 bytes");
          collect(*entry, whole, depth + 1);
        }
        return;
      case Kind::tensor:
        return add(value.tensor, name);
      case Kind::text:
        if (!name.empty() && value.text.size() <= kMaxTensorNameBytes &&
            !cluster::invalid_utf8(value.text))
          other(name, weights_.metadata) = value.text;
        return;
      case Kind::integer:
      case Kind::boolean:
        if (!name.empty()) other(name, weights_.metadata) = std::to_string(value.integer);
        return;
      default:
        if (!name.empty()) other(name, weights_.unsupported) = "no tensor";
    }
  }

 private:
  static std::string at(const std::string& name) {
    return name.empty() ? "" : "'" + cluster::printable(name) + "': ";
  }

  std::string& other(const std::string& name, std::map<std::string, std::string>& others) {
    if (weights_.metadata.size() + weights_.unsupported.size() >= kMaxStoredTensors)
      fail(weights_.source, "holds more than 100,000 values beside its tensors");
    return others[name];
  }

  void add(const PickledTensor& tensor, const std::string& name) {
    const std::string what = "tensor '" + cluster::printable(name) + "'";
    if (name.empty()) fail(weights_.source, "is one tensor; a dictionary of tensors is expected");
    if (weights_.tensors.size() >= kMaxStoredTensors)
      fail(weights_.source, "holds more than 100,000 tensors");
    const auto storage = storages_.find(tensor.storage.key);
    if (storage == storages_.end()) fail(weights_.source, what + ": its storage is missing");
    const auto expected = static_cast<std::uint64_t>(tensor.storage.elements);
    if (storage->second.size() / element_bytes(tensor.storage.type) != expected ||
        storage->second.size() % element_bytes(tensor.storage.type) != 0) {
      fail(weights_.source, what + ": its storage has " + std::to_string(storage->second.size()) +
                                " bytes, not " + std::to_string(expected) + " numbers");
    }
    const auto view = view_of(tensor, storage->second, what, weights_.source);
    if (!view) {
      other(name, weights_.unsupported) = "a transposed or strided view of its numbers";
      return;
    }
    StoredTensor stored;
    stored.type = tensor.storage.type;
    stored.shape = tensor.shape;
    stored.parts = {*view};
    if (!weights_.tensors.emplace(name, std::move(stored)).second)
      fail(weights_.source, what + ": is there twice");
  }

  const Storages& storages_;
  WeightFile& weights_;
  std::size_t seen_ = 0;
};

std::int64_t little_endian_i64(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return static_cast<std::int64_t>(value);
}

// Types of the storages by key, as the tensors name them: the older form writes sizes in numbers.
void storage_types(const PickledValue& value, std::size_t depth,
                   std::map<std::string, ElementType>& types, std::size_t& seen) {
  if (depth > kMaxDepth || ++seen > 4 * kMaxStoredTensors) return;  // the collector says so
  if (value.kind == Kind::tensor) types[value.tensor.storage.key] = value.tensor.storage.type;
  for (const auto& [key, entry] : value.entries) storage_types(*entry, depth + 1, types, seen);
}

}  // namespace

bool looks_like_torch_zip(std::string_view bytes) {
  return bytes.starts_with(std::string_view("PK\x03\x04"));
}

bool looks_like_torch_pickles(std::string_view bytes) {
  // Protocol 2 and an integer of ten bytes.
  return bytes.starts_with(std::string_view("\x80\x02\x8a\x0a", 4));
}

WeightFile parse_torch_zip(const std::filesystem::path& path) {
  WeightFile weights;
  weights.source = path.string();
  weights.format = "torch.save (zip)";
  std::string pickle_bytes, byte_order = "little";
  bool found = false;
  Storages storages;
  cluster::ArchiveReader files(path, cluster::ArchiveReader::kZip);
  while (files.next()) {
    // All lie in one folder, whose name is the file's when it was saved.
    const std::string& name = files.name();
    const std::size_t slash = name.find('/');
    const std::string inner = slash == std::string::npos ? "" : name.substr(slash + 1);
    constexpr std::string_view kData = "data/";
    if (inner == "data.pkl") {
      if (std::exchange(found, true)) fail(weights.source, "holds data.pkl twice");
      pickle_bytes = files.bytes(kMaxPickleBytes);
    } else if (inner == "byteorder") {
      constexpr std::uint64_t kMaxWord = 1 << 20;
      byte_order = files.bytes(kMaxWord);
    } else if (inner.starts_with(kData)) {
      if (storages.size() >= kMaxStoredTensors)
        fail(weights.source, "holds more than 100,000 storages");
      weights.unpacked.push_back(
          std::make_shared<const std::string>(files.bytes(kMaxStorageBytes)));
      const bool fresh =
          storages.emplace(inner.substr(kData.size()), *weights.unpacked.back()).second;
      if (!fresh) fail(weights.source, "holds " + cluster::printable(inner) + " twice");
    }
  }
  if (!found) fail(weights.source, "is a zip archive without data.pkl: not a file of torch.save");
  if (byte_order != "little") fail(weights.source, "is of another byte order");
  const Pickle pickle(pickle_bytes, weights.source);
  Collector(storages, weights).collect(pickle.value(), "", 0);
  return weights;
}

WeightFile parse_torch_pickles(std::string_view bytes, const std::string& source) {
  WeightFile weights;
  weights.source = source;
  weights.format = "torch.save (pickles)";
  std::size_t at = 0;
  const auto next = [&] {
    Pickle pickle(bytes.substr(at), source);
    at += pickle.size();
    return pickle;
  };
  {
    const Pickle magic = next();
    if (magic.value().kind != Kind::integer || magic.value().text != kMagic)
      fail(source, "is a pickle, but not one of torch.save");
    const Pickle version = next();
    if (version.value().kind != Kind::integer || version.value().integer != kProtocolVersion)
      fail(source, "is of a version of torch.save that is not read");
    const Pickle system = next();
    for (const auto& [key, value] : system.value().entries) {
      if (key->kind == Kind::text && key->text == "little_endian" && value->integer != 1)
        fail(source, "is of another byte order");
    }
  }
  const Pickle tensors = next(), keys = next();
  if (keys.value().kind != Kind::sequence) fail(source, "does not list its storages");
  std::map<std::string, ElementType> types;
  std::size_t seen = 0;
  storage_types(tensors.value(), 0, types, seen);
  Storages storages;
  for (const PickledValue* key : keys.value().items) {
    if (key->kind != Kind::text) fail(source, "names a storage by what is no text");
    constexpr std::size_t kSize = 8;
    if (bytes.size() - at < kSize) fail(source, "cut off");
    const std::int64_t elements = little_endian_i64(bytes.substr(at, kSize));
    at += kSize;
    const auto type = types.find(key->text);
    if (type == types.end())
      fail(source, "holds storage " + cluster::printable(key->text) + ", which no tensor names");
    const std::uint64_t element = element_bytes(type->second);
    if (elements < 0 || static_cast<std::uint64_t>(elements) > (bytes.size() - at) / element)
      fail(source, "cut off in storage " + cluster::printable(key->text));
    const std::size_t size = static_cast<std::size_t>(elements) * element;
    if (!storages.emplace(key->text, bytes.substr(at, size)).second)
      fail(source, "holds storage " + cluster::printable(key->text) + " twice");
    at += size;
  }
  if (at != bytes.size()) fail(source, std::to_string(bytes.size() - at) + " bytes behind its end");
  Collector(storages, weights).collect(tensors.value(), "", 0);
  return weights;
}

}  // namespace marquee::workers
