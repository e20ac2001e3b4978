// Arrays of NumPy: what is written is read again, other orders are turned, damage is named.
#include "workers/weight_files/npz_file.h"

#include <cstring>

#include <gmock/gmock.h>

#include "cluster/durable_file.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/workers/refusal.h"
#include "workers/mapped_tensor.h"
#include "workers/weight_files/mapped_npz.h"
#include "workers/weight_files/npz_writer.h"

namespace marquee::workers {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Version 1.0 of the format around a header and numbers.
std::string npy(const std::string& header, const std::string& numbers) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size());
  bytes += '\0';
  return bytes + header + numbers;
}

Tensor tensor_of(const NpyArray& array) {
  return mapped_tensor(array.tensor, array.memory).clone();
}

TEST(Npy, OrdersAndShapesAreReadAsNumpyDoes) {
  const std::string numbers("\x01\x02\x03\x04\x05\x06", 6);
  const NpyArray rows =
      parse_npy(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }", numbers), "a");
  EXPECT_TRUE(torch::equal(tensor_of(rows), torch::tensor({{1, 2, 3}, {4, 5, 6}}, torch::kUInt8)));
  const NpyArray columns =
      parse_npy(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", numbers), "a");
  EXPECT_TRUE(
      torch::equal(tensor_of(columns), torch::tensor({{1, 3, 5}, {2, 4, 6}}, torch::kUInt8)));
  const NpyArray cube =
      parse_npy(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (1, 2, 3)}", numbers), "a");
  EXPECT_TRUE(
      torch::equal(tensor_of(cube), torch::tensor({{{1, 3, 5}, {2, 4, 6}}}, torch::kUInt8)));
  const NpyArray big =
      parse_npy(npy("{'descr': '>i2', 'fortran_order': False, 'shape': (3,), }", numbers), "a");
  EXPECT_TRUE(torch::equal(tensor_of(big), torch::tensor({0x0102, 0x0304, 0x0506}, torch::kInt16)));
  const NpyArray one = parse_npy(
      npy("{'descr': '<i2', 'fortran_order': False, 'shape': (), }", numbers.substr(0, 2)), "a");
  EXPECT_EQ(tensor_of(one).item<int>(), 0x0201);
}

TEST(Npy, DamageIsNamed) {
  const std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }";
  const auto refusal = [](const std::string& bytes) {
    return refusal_of([&] { parse_npy(bytes, "file: mu"); });
  };
  EXPECT_THAT(refusal(npy(header, "12345678")),
              AllOf(HasSubstr("file: mu"), HasSubstr("8 bytes"), HasSubstr("16 of shape [2]")));
  EXPECT_THAT(refusal("PK"), HasSubstr("no array of NumPy"));
  EXPECT_THAT(refusal(npy("{'descr': '<f8', 'shape': (2,), }", "")), HasSubstr("damaged header"));
  EXPECT_THAT(refusal(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-2,), }", "")),
              HasSubstr("damaged header"));
  EXPECT_THAT(refusal(npy("{'descr': '<f8', 'fortran_order': False, 'shape': "
                          "(4611686018427387904, 4), }",
                          "")),
              HasSubstr("a shape that is none"));
  EXPECT_THAT(refusal(npy(header, "").substr(0, 30)), HasSubstr("cut off"));
}

// Objects are pickles: never read.
TEST(Npy, ObjectsAreLeftOut) {
  const NpyArray objects =
      parse_npy(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "\x80\x04N."), "a");
  EXPECT_THAT(objects.unsupported, HasSubstr("|O"));
  const NpyArray records = parse_npy(
      npy("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }", "1234"), "a");
  EXPECT_THAT(records.unsupported, HasSubstr("structured"));
}

TEST(Npz, WhatIsWrittenIsReadAgain) {
  const cluster::TemporaryFolder folder;
  const auto path = folder.path() / "stats.npz";
  std::map<std::string, Tensor> tensors{{"mu", torch::arange(3, torch::kFloat64)},
                                        {"sigma", torch::eye(3, torch::kFloat64)},
                                        {"n", torch::tensor(std::int64_t{7})},
                                        {"images", torch::ones({2, 4, 4, 3}, torch::kUInt8)}};
  std::map<std::string, NpzArray> arrays;
  for (const auto& [name, tensor] : tensors)
    arrays[name] = {layout_of(tensor),
                    {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()}};
  write_npz(path, arrays);
  const WeightFile file = open_npz(path);
  ASSERT_EQ(file.tensors.size(), tensors.size());
  for (const auto& [name, tensor] : tensors)
    EXPECT_TRUE(torch::equal(mapped_tensor(file.tensor(name), file.memory()), tensor)) << name;

  std::string bytes = cluster::read_file(path, 1 << 20);
  for (std::size_t size = 0; size < bytes.size(); size += 97) {
    cluster::write_file_durably(path, bytes.substr(0, size));
    EXPECT_THAT(refusal_of([&] { open_npz(path); }), HasSubstr("stats.npz")) << size;
  }
  bytes[bytes.find("NUMPY") + 200] ^= 1;  // a number: its checksum is wrong now
  cluster::write_file_durably(path, bytes);
  EXPECT_THAT(refusal_of([&] { open_npz(path); }), HasSubstr("stats.npz"));
}

// Larger than a block of the reader and than what it may copy, so that the array is found in place.
TEST(MappedNpz, AnUncompressedArrayIsMappedWhereItLies) {
  const cluster::TemporaryFolder folder;
  const auto path = folder.path() / "images.npz";
  const Tensor images = torch::randint(256, {24, 256, 256, 3}, torch::kUInt8),
               small = torch::arange(12, torch::kUInt8).reshape({1, 2, 2, 3});
  std::map<std::string, NpzArray> arrays;
  for (const auto& [name, tensor] : {std::pair("a", small), {"images", images}, {"z", small}})
    arrays[name] = {layout_of(tensor),
                    {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()}};
  write_npz(path, arrays);
  const auto headers = npz_headers(path);
  ASSERT_EQ(headers.size(), 3U);
  EXPECT_EQ(headers.at("images").layout.shape, images.sizes().vec());
  EXPECT_EQ(headers.at("images").size, images.nbytes());
  const auto scratch = folder.path() / "scratch";
  const MappedNpy mapped = map_npz_array(path, "images", scratch);
  EXPECT_EQ(mapped.file->path(), path);
  EXPECT_FALSE(std::filesystem::exists(scratch));
  ASSERT_EQ(mapped.numbers.size(), images.nbytes());
  EXPECT_EQ(std::memcmp(mapped.numbers.data(), images.const_data_ptr(), images.nbytes()), 0);
  for (const char* name : {"a", "z"})
    EXPECT_EQ(map_npz_array(path, name, scratch).numbers, arrays.at(name).bytes) << name;

  std::string bytes = cluster::read_file(path, 1 << 24);
  bytes[bytes.size() / 2] ^= 1;  // a pixel: its checksum is wrong now
  cluster::write_file_durably(path, bytes);
  EXPECT_THAT(refusal_of([&] { map_npz_array(path, "images", scratch); }),
              AllOf(HasSubstr("images.npz"), HasSubstr("damaged")));
}

}  // namespace
}  // namespace marquee::workers
