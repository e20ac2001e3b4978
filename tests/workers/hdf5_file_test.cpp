#include "workers/hdf5_file.h"

#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "cluster/file_seal.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::workers {
namespace {

class Hdf5FileTest : public testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "file.h5"; }

  void write_sealed_file() const {
    Hdf5File h5 = Hdf5File::create(file());
    h5.write_tensor("group/values", torch::arange(1000, torch::kFloat32), /*compress=*/true);
    h5.close();
    cluster::seal_file(file());
  }
  void flip_byte(std::streamoff from_end) const {
    std::fstream stream(file(), std::ios::binary | std::ios::in | std::ios::out);
    stream.seekg(-from_end, std::ios::end);
    const char byte = static_cast<char>(stream.get() ^ 0x10);
    stream.seekp(-from_end, std::ios::end);
    stream.put(byte);
  }

  cluster::TemporaryFolder folder_;
};

TEST_F(Hdf5FileTest, ReadsBackTensorsOfEveryTypeAndShape) {
  const std::vector<Tensor> tensors{torch::randn({3, 4, 5}),
                                    torch::randn({2}, torch::kFloat64),
                                    torch::tensor(7, torch::kInt64),
                                    torch::arange(6, torch::kInt32),
                                    torch::empty({0, 4}),
                                    torch::arange(9, torch::kUInt8),
                                    torch::arange(5, torch::kInt16)};
  Hdf5File out = Hdf5File::create(file());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    out.write_tensor("a/b/" + std::to_string(i), tensors[i], /*compress=*/i % 2 == 0);
  }
  out.close();
  const Hdf5File in = Hdf5File::open_read(file());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Tensor read = in.read_tensor("a/b/" + std::to_string(i));
    EXPECT_EQ(read.scalar_type(), tensors[i].scalar_type());
    EXPECT_TRUE(torch::equal(read, tensors[i])) << i;
  }
  EXPECT_EQ(in.children("a/b").size(), tensors.size());
  EXPECT_EQ(in.children(""), std::vector<std::string>{"a"});
}

TEST_F(Hdf5FileTest, ReadsRowsWithoutTheRest) {
  const Tensor values = torch::randint(256, {50, 4, 3}, torch::kUInt8);
  Hdf5File out = Hdf5File::create(file());
  out.write_tensor("plain", values);
  out.write_tensor("chunks", values, /*compress=*/true);
  out.write_tensor("number", torch::tensor(7, torch::kInt64));
  out.close();
  const Hdf5File in = Hdf5File::open_read(file());
  for (const char* name : {"plain", "chunks"}) {
    EXPECT_EQ(in.type(name), torch::kUInt8);
    for (const auto& [first, count] : {std::pair(0, 50), {0, 1}, {17, 20}, {49, 1}, {50, 0}})
      EXPECT_TRUE(torch::equal(in.read_rows(name, first, count), values.narrow(0, first, count)))
          << name << " " << first;
    for (const auto& [first, count] : {std::pair(49, 2), {-1, 2}, {51, 0}, {0, 51}})
      EXPECT_THROW(in.read_rows(name, first, count), cluster::Error) << name << " " << first;
    EXPECT_THROW(in.read_rows(name, 0, 2, /*max_bytes=*/23), cluster::Error);
  }
  EXPECT_THROW(in.read_rows("number", 0, 0), cluster::Error);
  EXPECT_EQ(in.storage("plain").bytes, 600);
  EXPECT_TRUE(in.storage("plain").chunk.empty());
  EXPECT_EQ(in.storage("chunks").chunk, (std::vector<std::int64_t>{50, 4, 3}));
}

TEST_F(Hdf5FileTest, ReadsBackStringsAndAttributes) {
  Hdf5File out = Hdf5File::create(file());
  out.write_string("text", "größer");
  out.write_string("empty", "");
  out.set_attribute("", "name", "run");
  out.set_attribute("text", "count", std::int64_t{42});
  out.set_attribute("text", "rate", 0.1);
  out.close();
  const Hdf5File in = Hdf5File::open_read(file());
  EXPECT_EQ(in.read_string("text"), "größer");
  EXPECT_EQ(in.read_string("empty"), "");
  EXPECT_EQ(in.string_attribute("", "name"), "run");
  EXPECT_EQ(in.int_attribute("text", "count"), 42);
  EXPECT_EQ(in.double_attribute("text", "rate"), 0.1);
  EXPECT_FALSE(in.has_attribute("text", "absent"));
}

TEST_F(Hdf5FileTest, EqualContentMakesEqualBytesAtAnyTime) {
  const auto written = [this] {
    Hdf5File h5 = Hdf5File::create(file());
    h5.write_tensor("group/values", torch::arange(1000, torch::kFloat32), /*compress=*/true);
    h5.write_tensor("scalar", torch::tensor(7, torch::kInt64));
    h5.write_string("text", "a");
    h5.write_strings("texts", {"a", "bc"});
    h5.set_attribute("group", "n", std::int64_t{1});
    h5.close();
    std::ifstream stream(file(), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  const std::string first = written();
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5 notes whole seconds
  EXPECT_EQ(first, written());
}

TEST_F(Hdf5FileTest, NamesFileAndObjectWhenADataSetIsMissing) {
  write_sealed_file();
  const Hdf5File in = Hdf5File::open_read(file());
  try {
    in.read_tensor("group/other");
    FAIL() << "no error";
  } catch (const cluster::Error& error) {
    EXPECT_EQ(error.kind(), cluster::ErrorKind::environment);
    EXPECT_NE(std::string(error.what()).find(file().string()), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("group/other"), std::string::npos);
  }
}

TEST_F(Hdf5FileTest, RefusesADataSetLargerThanAllowed) {
  write_sealed_file();
  EXPECT_THROW(Hdf5File::open_read(file()).read_tensor("group/values", 3999), cluster::Error);
  EXPECT_NO_THROW(Hdf5File::open_read(file()).read_tensor("group/values", 4000));
}

TEST_F(Hdf5FileTest, RefusesAFileCutOff) {
  write_sealed_file();
  std::filesystem::resize_file(file(), std::filesystem::file_size(file()) / 2);
  EXPECT_THROW(cluster::check_seal(file()), cluster::Error);
}

TEST_F(Hdf5FileTest, AcceptsASealedFileAndOpensIt) {
  write_sealed_file();
  EXPECT_EQ(cluster::check_seal(file()).size(), 64U);
  EXPECT_EQ(Hdf5File::open_read(file()).read_tensor("group/values").numel(), 1000);
}

TEST_F(Hdf5FileTest, RefusesAFlippedBit) {
  write_sealed_file();
  flip_byte(100);
  EXPECT_THROW(cluster::check_seal(file()), cluster::Error);
}

TEST_F(Hdf5FileTest, RefusesAFileWithoutSeal) {
  Hdf5File out = Hdf5File::create(file());
  out.write_string("text", "x");
  out.close();
  EXPECT_THROW(cluster::check_seal(file()), cluster::Error);
}

}  // namespace
}  // namespace marquee::workers
