// The safetensors format: reader and writer.
#include "workers/weight_files/safetensors_file.h"

#include <cstring>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/durable_file.h"
#include "cluster/sha256.h"
#include "tests/cluster/temporary_folder.h"
#include "tests/workers/refusal.h"
#include "workers/weight_files/safetensors_writer.h"

namespace marquee::workers {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string file_of(const std::string& header, const std::string& data = "") {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + data;
}

std::string refusal(const std::string& bytes) {
  const std::string message = refusal_of([&] { parse_safetensors(bytes, "x.safetensors"); });
  EXPECT_TRUE(message.starts_with("x.safetensors: ")) << message;
  return message;
}

std::string refusal(const std::string& header, const std::string& data) {
  return refusal(file_of(header, data));
}

// An entry of `bytes` bytes from `begin` on.
std::string entry(const std::string& name, int begin, int bytes) {
  return "\"" + name + R"(":{"dtype":"U8","shape":[)" + std::to_string(bytes) +
         R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(begin + bytes) +
         "]}";
}

TEST(SafetensorsFile, GivesTensorsWhereTheyLie) {
  const std::string bytes =
      file_of(R"({"__metadata__":{"format":"pt","b":""},)"
              R"("w":{"data_offsets":[0,12],"shape":[3,2],"dtype":"BF16"},)"
              R"("n":{"dtype":"I64","shape":[],"data_offsets":[12,20]},)"
              R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[20,20]}}   )",
              "abcdefghijkl12345678");
  const WeightFile read = parse_safetensors(bytes, "x");
  EXPECT_EQ(read.format, "safetensors");
  EXPECT_EQ(read.metadata, (std::map<std::string, std::string>{{"format", "pt"}, {"b", ""}}));
  ASSERT_EQ(read.tensors.size(), 3u);
  const StoredTensor& w = read.tensor("w");
  EXPECT_EQ(TensorLayout(w), (TensorLayout{ElementType::bf16, {3, 2}}));
  ASSERT_EQ(w.parts.size(), 1u);
  EXPECT_EQ(w.parts[0], "abcdefghijkl");
  EXPECT_EQ(w.parts[0].data() - bytes.data(), static_cast<std::ptrdiff_t>(bytes.size() - 20));
  EXPECT_EQ(read.tensor("n").shape, std::vector<std::int64_t>{});
  EXPECT_EQ(read.tensor("n").parts.at(0), "12345678");
  EXPECT_EQ(read.tensor("none").parts.at(0), "");
}

TEST(SafetensorsFile, KnowsWhatIsNotAligned) {
  alignas(8) const std::string odd =
      file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
              R"("b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
              "12345");
  const WeightFile read = parse_safetensors(odd, "x");
  EXPECT_TRUE(read.tensor("a").aligned());
  const auto place = reinterpret_cast<std::uintptr_t>(read.tensor("b").parts[0].data());
  EXPECT_EQ(read.tensor("b").aligned(), place % 4 == 0);
}

TEST(SafetensorsFile, ReadsEveryType) {
  const std::pair<const char*, std::uint64_t> types[] = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"I16", 2}, {"U16", 2}, {"F16", 2}, {"BF16", 2},
      {"I32", 4},  {"U32", 4}, {"F32", 4}, {"I64", 8}, {"U64", 8}, {"F64", 8}};
  for (const auto& [name, size] : types) {
    const std::string header = std::string(R"({"w":{"dtype":")") + name +
                               R"(","shape":[3],"data_offsets":[0,)" + std::to_string(3 * size) +
                               "]}}";
    const std::string bytes = file_of(header, std::string(3 * size, 'x'));
    const WeightFile read = parse_safetensors(bytes, "x");
    EXPECT_EQ(safetensors_name(read.tensor("w").type), name);
    EXPECT_EQ(element_bytes(read.tensor("w").type), size);
  }
}

TEST(SafetensorsFile, RefusesItselfCutOffAnywhereOrLonger) {
  const std::string whole =
      file_of("{" + entry("w", 0, 8) + "," + entry("v", 8, 8) + "}", "0123456789abcdef");
  EXPECT_EQ(parse_safetensors(whole, "x").tensors.size(), 2u);
  for (std::size_t size = 0; size < whole.size(); ++size) refusal(whole.substr(0, size));
  EXPECT_THAT(refusal(whole + "more"), HasSubstr("4 bytes that belong to no tensor"));
}

TEST(SafetensorsFile, SurvivesEveryFlippedBit) {
  const std::string whole =
      file_of("{" + entry("w", 0, 8) + "," + entry("v", 8, 8) + "}", "0123456789abcdef");
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    try {
      for (const auto& [name, tensor] : parse_safetensors(flipped, "x").tensors) {
        EXPECT_GE(tensor.parts[0].data(), flipped.data());
        EXPECT_LE(tensor.parts[0].data() + tensor.parts[0].size(), flipped.data() + flipped.size());
      }
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::environment) << error.what();
    }
  }
}

TEST(SafetensorsFile, RefusesTensorsThatOverlapOrLeaveAGap) {
  const std::string data(16, 'x');
  EXPECT_THAT(refusal("{" + entry("w", 0, 10) + "," + entry("v", 8, 8) + "}", data),
              HasSubstr("tensor 'v' overlaps"));
  EXPECT_THAT(refusal("{" + entry("w", 0, 16) + "," + entry("v", 0, 16) + "}", data),
              HasSubstr("overlaps"));
  EXPECT_THAT(refusal("{" + entry("w", 0, 6) + "," + entry("v", 8, 8) + "}", data),
              HasSubstr("tensor 'v' begins 2 bytes behind"));
}

TEST(SafetensorsFile, RefusesNamesAndKeysGivenTwice) {
  const std::string data(16, 'x');
  EXPECT_THAT(refusal("{" + entry("w", 0, 8) + "," + entry("w", 8, 8) + "}", data),
              HasSubstr("tensor 'w' is there twice"));
  EXPECT_THAT(refusal(R"({"__metadata__":{},"__metadata__":{}})", ""),
              HasSubstr("__metadata__ is there twice"));
  EXPECT_THAT(refusal(R"({"__metadata__":{"a":"1","a":"2"}})", ""), HasSubstr("key 'a' twice"));
  EXPECT_THAT(refusal(R"({"w":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x"),
              HasSubstr("key 'dtype' twice"));
}

TEST(SafetensorsFile, RefusesShapesThatCannotBe) {
  const auto with_shape = [](const std::string& shape) {
    return refusal(R"({"w":{"dtype":"F64","shape":)" + shape + R"(,"data_offsets":[0,0]}})", "");
  };
  EXPECT_THAT(with_shape("[4294967296,4294967296,4294967296]"), HasSubstr("impossible shape"));
  EXPECT_THAT(with_shape("[9223372036854775808,2]"), HasSubstr("impossible shape"));
  EXPECT_THAT(with_shape("[0,4611686018427387904]"), HasSubstr("impossible shape"));
  EXPECT_THAT(with_shape("[0,18446744073709551615]"), HasSubstr("impossible shape"));
  EXPECT_THAT(with_shape("[18446744073709551616]"), HasSubstr("tensor 'w'"));
  EXPECT_THAT(with_shape("[-1]"), HasSubstr("tensor 'w'"));
  EXPECT_THAT(with_shape("[1.0]"), HasSubstr("tensor 'w'"));
  EXPECT_THAT(with_shape("[[1]]"), HasSubstr("tensor 'w'"));
  EXPECT_THAT(with_shape("3"), HasSubstr("tensor 'w'"));
  std::string many = "[1";
  for (int i = 0; i < 40; ++i) many += ",1";
  EXPECT_THAT(with_shape(many + "]"), HasSubstr("tensor 'w'"));
}

TEST(SafetensorsFile, RefusesOffsetsThatDoNotFit) {
  const auto at = [](const std::string& offsets) {
    return refusal(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":)" + offsets + "}}",
                   "12345678");
  };
  EXPECT_THAT(at("[0,16]"), HasSubstr("'w' lies at bytes 0 to 16 of the data, the file has 8"));
  EXPECT_THAT(at("[8,0]"), HasSubstr("tensor 'w'"));
  EXPECT_THAT(at("[0,4]"), AllOf(HasSubstr("'w' has 4 bytes"), HasSubstr("[2] of F32 takes 8")));
  EXPECT_THAT(at("[18446744073709551608,18446744073709551615]"), HasSubstr("tensor 'w'"));
  EXPECT_THAT(at("[0]"), HasSubstr("tensor 'w'"));
  EXPECT_THAT(at("[0,4,8]"), HasSubstr("tensor 'w'"));
}

TEST(SafetensorsFile, RefusesHeadersOfAnotherForm) {
  EXPECT_THAT(refusal("[]", ""), HasSubstr("no JSON object"));
  EXPECT_THAT(refusal(" {}", ""), HasSubstr("no JSON object"));
  EXPECT_THAT(refusal("{} x", ""), HasSubstr("no JSON, from its byte 4"));
  EXPECT_THAT(refusal("{}{}", ""), HasSubstr("no JSON"));
  EXPECT_THAT(refusal(R"({"w":5})", ""), HasSubstr("tensor 'w'"));
  EXPECT_THAT(refusal(R"({"w":{}})", ""), HasSubstr("'w' lacks"));
  EXPECT_THAT(refusal(R"({"w":{"dtype":{"a":1}}})", ""), HasSubstr("tensor 'w'"));
  EXPECT_THAT(refusal(R"({"w":{"dtype":["U8"]}})", ""), HasSubstr("tensor 'w'"));
  EXPECT_THAT(refusal(R"({"w":{"dtype":"F13","shape":[],"data_offsets":[0,0]}})", ""),
              HasSubstr("'w' is of dtype 'F13'"));
  EXPECT_THAT(refusal(R"({"w":{"order":"C"}})", ""), HasSubstr("unknown key 'order'"));
  EXPECT_THAT(refusal(R"({"__metadata__":{"a":1}})", ""), HasSubstr("__metadata__"));
  EXPECT_THAT(refusal(R"({"__metadata__":{"a":{"b":"c"}}})", ""), HasSubstr("__metadata__"));
  EXPECT_THAT(refusal(R"({"__metadata__":null})", ""), HasSubstr("__metadata__"));
  EXPECT_THAT(refusal("{\"w\x80\":1}", ""), HasSubstr("no JSON"));
}

TEST(SafetensorsFile, RefusesDeepNestingAtItsFirstLevel) {
  const std::string deep = R"({"w":)" + std::string(1 << 20, '[');
  EXPECT_THAT(refusal(deep, ""), HasSubstr("tensor 'w'"));
  EXPECT_THAT(refusal(R"({"w":{"shape":)" + std::string(1 << 20, '['), ""),
              HasSubstr("tensor 'w'"));
}

TEST(SafetensorsFile, RefusesHugeClaims) {
  for (const std::uint64_t length :
       {std::uint64_t{3}, std::uint64_t{1} << 31, std::uint64_t{1} << 60, ~std::uint64_t{0}}) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    EXPECT_THAT(refusal(bytes + "{}"), HasSubstr("does not fit"));
  }
  EXPECT_THAT(refusal("{" + entry(std::string(1025, 'w'), 0, 0) + "}", ""),
              HasSubstr("more than 1024 bytes"));
  std::string many = "{";
  for (std::size_t i = 0; i <= kMaxStoredTensors; ++i)
    many.append(entry(std::to_string(i), 0, 0)).append(",");
  many.back() = '}';
  EXPECT_THAT(refusal(many, ""), HasSubstr("more than 100000 tensors"));
}

TEST(SafetensorsFile, ShowsNamesWithoutControlCharacters) {
  EXPECT_THAT(refusal(R"({"w\u001b[2J":5})", ""), HasSubstr(R"('w\x1b[2J')"));
}

class SafetensorsWriting : public testing::Test {
 protected:
  std::filesystem::path path() const { return folder_.path() / "x.safetensors"; }
  std::string written() const { return cluster::read_file(path(), 1 << 20); }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }
  cluster::TemporaryFolder folder_;
};

const std::map<std::string, TensorLayout> kLayouts{{"a/bytes", {ElementType::u8, {3}}},
                                                   {"b/half", {ElementType::f16, {5}}},
                                                   {"c/single", {ElementType::f32, {2, 3}}},
                                                   {"d/none", {ElementType::f32, {0}}},
                                                   {"e/whole", {ElementType::i64, {}}}};

TEST_F(SafetensorsWriting, ComesBackAlignedAsItWasWritten) {
  const std::map<std::string, std::string> metadata{{"made \"by\"", "a\n\xff"}, {"format", "pt"}};
  SafetensorsWriter writer(path(), kLayouts, metadata);
  EXPECT_EQ(writer.order(),
            (std::vector<std::string>{"e/whole", "c/single", "d/none", "b/half", "a/bytes"}));
  writer.append("e/whole", "12345678");
  writer.append("c/single", "abcdefgh");
  writer.append("c/single", "");
  writer.append("c/single", "ijklmnopqrstuvwx");
  writer.append("b/half", "0123456789");
  EXPECT_FALSE(std::filesystem::exists(path()));
  writer.append("a/bytes", "xyz");
  const std::string hash = writer.commit();
  EXPECT_EQ(hash, cluster::sha256_file(path()));

  const auto file = cluster::MappedFile::open(path());
  const WeightFile read = parse_safetensors(file->bytes(), "x");
  EXPECT_EQ(read.metadata.at("format"), "pt");
  EXPECT_EQ(read.metadata.at("made \"by\""), "a\n\xef\xbf\xbd");
  ASSERT_EQ(read.tensors.size(), kLayouts.size());
  for (const auto& [name, tensor] : read.tensors) {
    EXPECT_EQ(TensorLayout(tensor), kLayouts.at(name)) << name;
    EXPECT_TRUE(tensor.aligned()) << name;
  }
  EXPECT_EQ(read.tensor("c/single").parts[0], "abcdefghijklmnopqrstuvwx");
  EXPECT_EQ((read.tensor("e/whole").parts[0].data() - file->bytes().data()) % 64, 0);
  EXPECT_EQ(files(), 1u);
}

TEST_F(SafetensorsWriting, MayHoldNothing) {
  SafetensorsWriter(path(), {}).commit();
  const std::string bytes = written();
  EXPECT_EQ(bytes.size(), 64u);
  EXPECT_TRUE(parse_safetensors(bytes, "x").tensors.empty());
}

TEST_F(SafetensorsWriting, LeavesTheOldFileUntilItIsDone) {
  cluster::write_file_durably(path(), "old");
  {
    SafetensorsWriter writer(path(), kLayouts);
    writer.append("e/whole", "1234");
  }
  EXPECT_EQ(written(), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(SafetensorsWriting, RefusesCallsOutOfOrder) {
  SafetensorsWriter writer(path(), kLayouts);
  EXPECT_THROW(writer.append("c/single", "x"), cluster::Error);
  EXPECT_THROW(writer.append("unknown", "x"), cluster::Error);
  EXPECT_THROW(writer.append("e/whole", "123456789"), cluster::Error);
  writer.append("e/whole", "12345678");
  EXPECT_THROW(writer.append("e/whole", "9"), cluster::Error);
  EXPECT_THROW(writer.commit(), cluster::Error);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(SafetensorsWriting, RefusesNamesThatNoReaderTakes) {
  for (const std::string& name : {std::string("__metadata__"), std::string("\xff"),
                                  std::string(kMaxTensorNameBytes + 1, 'n')})
    EXPECT_THROW(SafetensorsWriter(path(), {{name, {}}}), cluster::Error) << name;
  EXPECT_THROW(SafetensorsWriter(path(), {{"w", {ElementType::f32, {-1}}}}), cluster::Error);
}

}  // namespace
}  // namespace marquee::workers
