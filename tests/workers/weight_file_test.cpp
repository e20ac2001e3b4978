// Telling formats apart, and tensors of LibTorch over mapped files.
#include "workers/weight_files/weight_file.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/fixtures/flax_bytes.h"
#include "tests/workers/refusal.h"
#include "workers/mapped_tensor.h"
#include "workers/safetensors.h"

namespace marquee::workers {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class WeightFiles : public testing::Test {
 protected:
  std::filesystem::path put(const std::string& name, const std::string& bytes) const {
    cluster::write_file_durably(folder_.path() / name, bytes);
    return folder_.path() / name;
  }
  std::string refusal(const std::string& bytes) const {
    const std::string message = refusal_of([&] { open_weight_file(put("weights", bytes)); });
    EXPECT_TRUE(message.starts_with((folder_.path() / "weights: ").string())) << message;
    return message;
  }
  cluster::TemporaryFolder folder_;
};

TEST_F(WeightFiles, AreToldApartByTheirContent) {
  const auto one = folder_.path() / "one.ckpt", two = folder_.path() / "two.safetensors";
  write_safetensors(one, {{"w", torch::ones({2})}});
  cluster::write_file_durably(two, flax::map({{"w", flax::array({1}, "uint8", "a")}}));
  const WeightFile first = open_weight_file(one), second = open_weight_file(two);
  EXPECT_EQ(first.format, "safetensors");
  EXPECT_EQ(second.format, "flax msgpack");
  EXPECT_EQ(second.source, two.string());
  EXPECT_EQ(second.file->path(), two);
  EXPECT_EQ(second.tensor("w").parts.at(0), "a");
}

TEST_F(WeightFiles, PicklesOfOtherThingsAreRefusedWithTheWayOut) {
  EXPECT_THAT(refusal(std::string("\x80\x04}q\0.", 6)),
              AllOf(HasSubstr("is a pickle"), HasSubstr("convert it to safetensors"),
                    HasSubstr("docs/models.md")));
  EXPECT_THAT(refusal("PK\x03\x04 archive/data.pkl"), HasSubstr("no zip archive"));
  EXPECT_THAT(refusal("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9"), HasSubstr("cut off"));
}

TEST_F(WeightFiles, OfOtherKindsAreRefused) {
  EXPECT_THAT(refusal(""), HasSubstr("is empty"));
  EXPECT_THAT(refusal("hello, world"), HasSubstr("is no safetensors file, flax msgpack"));
  EXPECT_THAT(refusal("\x93NUMPY"), HasSubstr("is no safetensors file"));
  EXPECT_THAT(refusal_of([&] { open_weight_file(folder_.path()); }), HasSubstr("is a folder"));
  EXPECT_THAT(refusal_of([&] { open_weight_file(folder_.path() / "absent"); }),
              HasSubstr("absent"));
}

TEST_F(WeightFiles, DamagedOnesAreStillCalledByTheirFormat) {
  const auto path = folder_.path() / "whole";
  write_safetensors(path, {{"w", torch::ones({2000})}});
  const std::string whole = cluster::read_file(path, 1 << 20);
  EXPECT_THAT(refusal(whole.substr(0, 40)), HasSubstr("header of"));
  EXPECT_THAT(refusal(whole.substr(0, 4000)), HasSubstr("tensor 'w' lies at"));
}

// Path of the file that is mapped at an address, "" for other memory.
std::string mapped_at(const void* address) {
  const auto place = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    std::istringstream(line) >> std::hex >> begin >> dash >> end;
    if (begin <= place && place < end)
      return line.find('/') == std::string::npos ? "" : line.substr(line.find('/'));
  }
  return "";
}

TEST_F(WeightFiles, AreUsedInPlaceByLibTorch) {
  const auto path = std::filesystem::canonical(folder_.path()) / "x.safetensors";
  const ParameterMap tensors{{"a", torch::randn({300, 7})},
                             {"b", torch::randn({5}).to(torch::kFloat16)},
                             {"c", torch::arange(3, torch::kUInt8)},
                             {"d", torch::arange(3, torch::kInt64)}};
  write_safetensors(path, tensors);
  const ParameterMap read = read_safetensors(path);
  std::filesystem::remove(path);
  ASSERT_EQ(read.size(), tensors.size());
  for (const auto& [name, tensor] : read) {
    EXPECT_EQ(mapped_at(tensor.const_data_ptr()), path.string() + " (deleted)") << name;
    EXPECT_TRUE(torch::equal(tensor, tensors.at(name))) << name;
  }
}

TEST_F(WeightFiles, AreUnmappedWithTheirLastTensor) {
  const auto path = std::filesystem::canonical(folder_.path()) / "x.safetensors";
  write_safetensors(path, {{"a", torch::ones({300})}, {"b", torch::ones({300})}});
  ParameterMap read = read_safetensors(path);
  const void* place = read.at("b").const_data_ptr();
  Tensor last = read.at("b").view({3, 100});
  read.clear();
  EXPECT_EQ(mapped_at(place), path.string());
  last.reset();
  EXPECT_NE(mapped_at(place), path.string());
}

TEST_F(WeightFiles, AreCopiedWhereTheyCannotBeUsedInPlace) {
  // A byte, then a number at an odd place; header of 128 bytes with its length.
  std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})";
  header.resize(120, ' ');
  const auto path = put(
      "odd", std::string("\x78\0\0\0\0\0\0\0", 8) + header + std::string("\x07\0\0\x80\x3f", 5));
  const ParameterMap read = read_safetensors(path);
  EXPECT_EQ(read.at("a").item<int>(), 7);
  EXPECT_EQ(read.at("b").item<float>(), 1.0f);
  EXPECT_EQ(mapped_at(read.at("b").const_data_ptr()), "");
}

TEST_F(WeightFiles, ChunksBecomeOneTensor) {
  using namespace flax;  // NOLINT
  const std::string one = array({2}, "int16", std::string("\1\0\2\0", 4));
  const std::string two = array({1}, "int16", std::string("\3\0", 2));
  const auto path =
      put("chunks", map({{"w", map({{"__msgpack_chunked_array__", "\xc3"},
                                    {"shape", map({{"0", number(3)}, {"1", number(1)}})},
                                    {"chunks", map({{"0", one}, {"1", two}})}})}}));
  const WeightFile file = open_weight_file(path);
  EXPECT_TRUE(torch::equal(mapped_tensor(file.tensor("w"), file.file),
                           torch::tensor({1, 2, 3}, torch::kInt16).view({3, 1})));
}

TEST_F(WeightFiles, BooleansAreTrueForAnyByteButZero) {
  const auto path =
      put("bools", flax::map({{"w", flax::array({4}, "bool", std::string("\0\1\2\xff", 4))}}));
  const WeightFile file = open_weight_file(path);
  const Tensor values = mapped_tensor(file.tensor("w"), file.file);
  EXPECT_TRUE(torch::equal(values, torch::tensor({0, 1, 1, 1}).to(torch::kBool)));
  write_safetensors(folder_.path() / "again", {{"w", values}});
  EXPECT_TRUE(torch::equal(read_safetensors(folder_.path() / "again").at("w"), values));
}

TEST_F(WeightFiles, EmptyTensorsAndViewsCanBeWritten) {
  const Tensor square = torch::arange(12, torch::kFloat32).view({3, 4});
  const ParameterMap tensors{{"none", torch::empty({0, 3})}, {"turned", square.t()}};
  write_safetensors(folder_.path() / "x", tensors, {{"made", "here"}});
  const ParameterMap read = read_safetensors(folder_.path() / "x");
  EXPECT_TRUE(torch::equal(read.at("turned"), square.t()));
  EXPECT_EQ(read.at("none").sizes(), (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(open_weight_file(folder_.path() / "x").metadata.at("made"), "here");
  EXPECT_THROW(
      write_safetensors(folder_.path() / "x", {{"w", torch::ones({1}, torch::kComplexFloat)}}),
      cluster::Error);
}

}  // namespace
}  // namespace marquee::workers
