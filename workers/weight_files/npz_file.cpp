#include "workers/weight_files/npz_file.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <optional>

#include "cluster/archive_reader.h"
#include "cluster/error.h"
#include "cluster/text.h"

namespace marquee::workers {
namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{8} << 30;

[[noreturn]] void fail(const std::string& source, const std::string& what) {
  cluster::throw_environment(source + ": " + what);
}

struct Description {
  char order = '<';  // <, >, | or =
  std::string type;  // "f8"
  bool fortran = false;
  std::vector<std::int64_t> shape;
};

// The header is a Python literal: {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& source) : text_(text), source_(source) {}

  // Nothing where `descr` is a list (a structured array).
  std::optional<Description> read() {
    Description description;
    bool seen[3] = {};
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !seen[0]) {
        seen[0] = true;
        skip_space();
        if (at_ < text_.size() && text_[at_] == '[') return std::nullopt;
        const std::string type = quoted();
        if (type.size() < 2) damaged();
        description.order = type[0];
        description.type = type.substr(1);
      } else if (key == "fortran_order" && !seen[1]) {
        seen[1] = true;
        description.fortran = word() == "True";
      } else if (key == "shape" && !seen[2]) {
        seen[2] = true;
        description.shape = numbers();
      } else {
        damaged();
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!seen[0] || !seen[1] || !seen[2]) damaged();
    return description;
  }

 private:
  [[noreturn]] void damaged() const { fail(source_, "a damaged header of an array"); }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char wanted) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) damaged();
  }
  std::string quoted() {
    expect('\'');
    const std::size_t end = text_.find('\'', at_);
    if (end == std::string_view::npos) damaged();
    const std::string value(text_.substr(at_, end - at_));
    at_ = end + 1;
    return value;
  }
  std::string word() {
    skip_space();
    const std::size_t first = at_;
    while (at_ < text_.size() && std::isalpha(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
    const std::string value(text_.substr(first, at_ - first));
    if (value != "True" && value != "False") damaged();
    return value;
  }
  std::vector<std::int64_t> numbers() {
    std::vector<std::int64_t> values;
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::int64_t value = 0;
      const char* const end = text_.data() + text_.size();
      const auto [behind, error] = std::from_chars(text_.data() + at_, end, value);
      if (error != std::errc() || value < 0 || values.size() >= kMaxAxes) damaged();
      at_ = static_cast<std::size_t>(behind - text_.data());
      values.push_back(value);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return values;
  }

  std::string_view text_;
  const std::string& source_;
  std::size_t at_ = 0;
};

std::optional<ElementType> type_of(const std::string& type) {
  static const std::map<std::string, ElementType> kTypes{
      {"b1", ElementType::boolean}, {"u1", ElementType::u8},  {"i1", ElementType::i8},
      {"i2", ElementType::i16},     {"u2", ElementType::u16}, {"f2", ElementType::f16},
      {"i4", ElementType::i32},     {"u4", ElementType::u32}, {"f4", ElementType::f32},
      {"i8", ElementType::i64},     {"u8", ElementType::u64}, {"f8", ElementType::f64}};
  const auto found = kTypes.find(type);
  return found == kTypes.end() ? std::nullopt : std::optional(found->second);
}

void swap_bytes(std::string& data, std::size_t element) {
  for (std::size_t first = 0; first + element <= data.size(); first += element)
    std::reverse(data.begin() + static_cast<std::ptrdiff_t>(first),
                 data.begin() + static_cast<std::ptrdiff_t>(first + element));
}

// Column-major to row-major.
std::string transposed(const std::string& data, const std::vector<std::int64_t>& shape,
                       std::size_t element) {
  std::string result(data.size(), '\0');
  std::vector<std::int64_t> index(shape.size(), 0);
  std::vector<std::size_t> strides(shape.size());
  std::size_t stride = element;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    strides[axis] = stride;
    stride *= static_cast<std::size_t>(shape[axis]);
  }
  std::size_t from = 0;
  for (std::size_t to = 0; to < data.size(); to += element) {
    data.copy(result.data() + to, element, from);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * static_cast<std::size_t>(shape[axis]);
      index[axis] = 0;
    }
  }
  return result;
}

}  // namespace

std::string npz_array_name(std::string member) {
  constexpr std::string_view kSuffix = ".npy";
  if (member.ends_with(kSuffix)) member.resize(member.size() - kSuffix.size());
  return member;
}

std::set<std::string> npz_names(const std::filesystem::path& path) {
  std::set<std::string> names;
  cluster::ArchiveReader files(path, cluster::ArchiveReader::kZip);
  while (files.next()) names.insert(npz_array_name(files.name()));
  return names;
}

NpyHeader parse_npy_header(std::string_view bytes, const std::string& source) {
  constexpr std::string_view kMagic("\x93NUMPY", 6);
  constexpr std::size_t kShort = 10, kLong = 12;  // bytes before the header of version 1, 2 and 3
  if (!bytes.starts_with(kMagic) || bytes.size() < kLong) fail(source, "is no array of NumPy");
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  const bool longer = byte(6) >= 2;
  if (byte(6) < 1 || byte(6) > 3) fail(source, "is of a version of NumPy's format not read here");
  const std::size_t begin = longer ? kLong : kShort;
  std::size_t length = byte(8) | static_cast<std::size_t>(byte(9)) << 8;
  if (longer)
    length |= static_cast<std::size_t>(byte(10)) << 16 | static_cast<std::size_t>(byte(11)) << 24;
  if (length > kMaxNpyHeaderBytes - kLong || length > bytes.size() - begin) fail(source, "cut off");
  const auto description = HeaderReader(bytes.substr(begin, length), source).read();
  NpyHeader header;
  if (!description) {
    header.unsupported = "a structured array";
    return header;
  }
  const auto type = type_of(description->type);
  if (!type || std::string_view("<>|=").find(description->order) == std::string_view::npos) {
    header.unsupported =
        "an array of type " + cluster::printable(description->order + description->type);
    return header;
  }
  header.layout = {*type, description->shape};
  const auto size = size_bytes(header.layout);
  if (!size) fail(source, "a shape that is none, " + shape_text(description->shape));
  header.begin = begin + length;
  header.size = *size;
  header.big_endian = description->order == '>';
  header.fortran = description->fortran && description->shape.size() > 1;
  return header;
}

void check_npy_size(const NpyHeader& header, std::uint64_t bytes, const std::string& source) {
  if (bytes == header.size) return;
  fail(source, std::to_string(bytes) + " bytes of numbers, not the " + std::to_string(header.size) +
                   " of shape " + shape_text(header.layout.shape));
}

NpyArray parse_npy(std::string bytes, const std::string& source) {
  const NpyHeader header = parse_npy_header(bytes, source);
  NpyArray array;
  array.unsupported = header.unsupported;
  if (!array.unsupported.empty()) return array;
  check_npy_size(header, bytes.size() - header.begin, source);
  bytes.erase(0, header.begin);
  const std::size_t element = element_bytes(header.layout.type);
  if (header.big_endian) swap_bytes(bytes, element);
  if (header.fortran) bytes = transposed(bytes, header.layout.shape, element);
  array.memory = std::make_shared<const std::string>(std::move(bytes));
  static_cast<TensorLayout&>(array.tensor) = header.layout;
  array.tensor.parts = {*array.memory};
  return array;
}

WeightFile open_npz(const std::filesystem::path& path) {
  WeightFile arrays;
  arrays.source = path.string();
  arrays.format = "npz";
  cluster::ArchiveReader files(path, cluster::ArchiveReader::kZip);
  std::uint64_t total = 0;
  while (files.next()) {
    const std::string name = npz_array_name(files.name());
    if (name.empty() || name.size() > kMaxTensorNameBytes || cluster::invalid_utf8(name))
      fail(arrays.source, "a member name that is empty, above 1,024 bytes or no UTF-8");
    if (arrays.tensors.size() + arrays.unsupported.size() >= kMaxStoredTensors)
      fail(arrays.source, "holds more than 100,000 arrays");
    if (arrays.tensors.contains(name) || arrays.unsupported.contains(name))
      fail(arrays.source, "holds " + cluster::printable(name) + " twice");
    NpyArray array =
        parse_npy(files.bytes(kMaxBytes - total), arrays.source + ": " + cluster::printable(name));
    if (!array.unsupported.empty()) {
      arrays.unsupported[name] = array.unsupported;
      continue;
    }
    total += array.memory->size();
    arrays.unpacked.push_back(std::move(array.memory));
    arrays.tensors[name] = std::move(array.tensor);
  }
  return arrays;
}

}  // namespace marquee::workers
