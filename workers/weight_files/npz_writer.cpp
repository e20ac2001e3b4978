#include "workers/weight_files/npz_writer.h"

#include <memory>

#include <archive.h>
#include <archive_entry.h>

#include "cluster/durable_file.h"
#include "cluster/error.h"

namespace marquee::workers {
namespace {

std::string description_of(ElementType type) {
  switch (type) {
    case ElementType::boolean:
      return "|b1";
    case ElementType::u8:
      return "|u1";
    case ElementType::i8:
      return "|i1";
    case ElementType::i16:
      return "<i2";
    case ElementType::u16:
      return "<u2";
    case ElementType::f16:
      return "<f2";
    case ElementType::i32:
      return "<i4";
    case ElementType::u32:
      return "<u4";
    case ElementType::f32:
      return "<f4";
    case ElementType::i64:
      return "<i8";
    case ElementType::u64:
      return "<u8";
    case ElementType::f64:
      return "<f8";
    case ElementType::bf16:
      break;
  }
  cluster::throw_defect("NumPy has no bfloat16");
}

// Magic, version 1.0, header length, header: padded so that the numbers begin at a multiple of 64.
std::string npy_of(const NpzArray& array) {
  std::string shape;
  for (const std::int64_t extent : array.layout.shape) shape += std::to_string(extent) + ", ";
  if (array.layout.shape.size() > 1) shape.resize(shape.size() - 2);
  if (array.layout.shape.size() == 1) shape.resize(shape.size() - 1);
  std::string header = "{'descr': '" + description_of(array.layout.type) +
                       "', 'fortran_order': False, 'shape': (" + shape + "), }";
  constexpr std::size_t kBefore = 10, kAlignment = 64;
  header.append(kAlignment - (kBefore + header.size() + 1) % kAlignment, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  return bytes + header + array.bytes;
}

using Writer = std::unique_ptr<archive, decltype(&archive_write_free)>;
using Entry = std::unique_ptr<archive_entry, decltype(&archive_entry_free)>;

}  // namespace

void write_npz(const std::filesystem::path& path, const std::map<std::string, NpzArray>& arrays) {
  cluster::StagedFile staged(path);
  const Writer writer(archive_write_new(), archive_write_free);
  const auto check = [&](int status) {
    if (status == ARCHIVE_OK) return;
    const char* reason = archive_error_string(writer.get());
    cluster::throw_environment(
        path.string() + ": cannot be written: " + (reason != nullptr ? reason : "unknown reason"));
  };
  check(archive_write_set_format_zip(writer.get()));
  check(archive_write_set_options(writer.get(), "zip:compression=store"));
  check(archive_write_open_filename(writer.get(), staged.staging_path().c_str()));
  for (const auto& [name, array] : arrays) {
    const auto size = size_bytes(array.layout);
    MARQUEE_CHECK(size && *size == array.bytes.size(), "write_npz: bytes do not fit the shape");
    const std::string bytes = npy_of(array);
    constexpr int kMode = 0644;
    const Entry entry(archive_entry_new(), archive_entry_free);
    archive_entry_set_pathname(entry.get(), (name + ".npy").c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), kMode);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
    check(archive_write_header(writer.get(), entry.get()));
    const auto written = archive_write_data(writer.get(), bytes.data(), bytes.size());
    if (written != static_cast<la_ssize_t>(bytes.size())) check(ARCHIVE_FATAL);
  }
  check(archive_write_close(writer.get()));
  staged.commit();
}

}  // namespace marquee::workers
