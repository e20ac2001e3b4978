// Checkpoints of flax.serialization.
#include "workers/weight_files/flax_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fixtures/flax_bytes.h"
#include "tests/workers/refusal.h"

namespace marquee::workers {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string flax_refusal(const std::string& bytes) {
  const std::string message = refusal_of([&] { parse_flax(bytes, "x.msgpack"); });
  EXPECT_TRUE(message.starts_with("x.msgpack: ")) << message;
  return message;
}

// As flax writes arrays above 2^30 bytes.
std::string chunked(const std::vector<std::uint64_t>& shape,
                    const std::vector<std::string>& chunks) {
  std::vector<std::pair<std::string, std::string>> extents, pieces;
  for (const std::uint64_t extent : shape)
    extents.emplace_back(std::to_string(extents.size()), flax::number(extent));
  for (const std::string& chunk : chunks) pieces.emplace_back(std::to_string(pieces.size()), chunk);
  return flax::map({{"chunks", flax::map(pieces)},
                    {"__msgpack_chunked_array__", "\xc3"},
                    {"shape", flax::map(extents)}});
}

const std::string kWhole = flax::map(
    {{"params",
      flax::map({{"Dense_0", flax::map({{"kernel", flax::array({2, 3}, "int16", "abcdefghijkl")},
                                        {"bias", flax::array({3}, "bfloat16", "mnopqr")}})}})},
     {"step", flax::number(7)}});

TEST(FlaxFile, GivesTheLeavesByTheirPaths) {
  const WeightFile read = parse_flax(kWhole, "x");
  EXPECT_EQ(read.format, "flax msgpack");
  ASSERT_EQ(read.tensors.size(), 2u);
  const StoredTensor& kernel = read.tensor("params/Dense_0/kernel");
  EXPECT_EQ(TensorLayout(kernel), (TensorLayout{ElementType::i16, {2, 3}}));
  ASSERT_EQ(kernel.parts.size(), 1u);
  EXPECT_EQ(kernel.parts[0], "abcdefghijkl");
  // Not copied.
  EXPECT_EQ(kernel.parts[0].data(), kWhole.data() + kWhole.find("abcdef"));
  EXPECT_EQ(read.tensor("params/Dense_0/bias").type, ElementType::bf16);
  EXPECT_EQ(read.metadata, (std::map<std::string, std::string>{{"step", "7"}}));
}

TEST(FlaxFile, ReadsEveryTypeAndScalars) {
  const std::pair<const char*, std::size_t> types[] = {
      {"bool", 1},  {"uint8", 1},  {"int8", 1},    {"int16", 2},    {"uint16", 2},
      {"int32", 4}, {"uint32", 4}, {"float16", 2}, {"bfloat16", 2}, {"float32", 4},
      {"int64", 8}, {"uint64", 8}, {"float64", 8}};
  for (const auto& [name, size] : types) {
    const std::string bytes = flax::map(
        {{"w", flax::array({2}, name, std::string(2 * size, 'x'))},
         {"scalar", flax::extension(3, flax::array_content({}, name, std::string(size, 'y')))}});
    const WeightFile read = parse_flax(bytes, "x");
    EXPECT_EQ(type_named_in_numpy(name), read.tensor("w").type);
    EXPECT_EQ(read.tensor("w").parts.at(0).size(), 2 * size);
    EXPECT_TRUE(read.tensor("scalar").shape.empty());
  }
}

TEST(FlaxFile, KeepsNumbersAndTextsAsText) {
  const std::string bytes =
      flax::map({{"a", "\x05"},
                 {"b", "\xd0\xfe"},
                 {"c", std::string("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", 9)},
                 {"d", "\xc2"},
                 {"e", "\xc0"},
                 {"f", flax::str("text")},
                 {"g", flax::list({"\x01", flax::str("two")})},
                 {"left out", flax::str(std::string(2000, 'x'))},
                 {"bytes", flax::bin("abc")},
                 {"empty", flax::map({})}});
  EXPECT_EQ(parse_flax(bytes, "x").metadata, (std::map<std::string, std::string>{{"a", "5"},
                                                                                 {"b", "-2"},
                                                                                 {"c", "0.1"},
                                                                                 {"d", "false"},
                                                                                 {"e", "null"},
                                                                                 {"f", "text"},
                                                                                 {"g/0", "1"},
                                                                                 {"g/1", "two"}}));
}

TEST(FlaxFile, KnowsWhatItDoesNotRead) {
  const std::string bytes =
      flax::map({{"complex", flax::extension(2, "..")},
                 {"waves", flax::array({1}, "complex64", "12345678")},
                 {"time", flax::extension(-1, "1234")},
                 {"parts", chunked({2}, {flax::array({2}, "complex64", std::string(16, 'x'))})},
                 {"w", flax::array({1}, "uint8", "1")}});
  const WeightFile read = parse_flax(bytes, "x.msgpack");
  EXPECT_EQ(read.tensors.size(), 1u);
  EXPECT_EQ(read.unsupported.size(), 4u);
  EXPECT_THAT(refusal_of([&] { read.tensor("complex"); }),
              HasSubstr("x.msgpack: tensor 'complex' is a complex number, which is not read here"));
  EXPECT_THAT(refusal_of([&] { read.tensor("waves"); }), HasSubstr("an array of complex64"));
  EXPECT_THAT(refusal_of([&] { read.tensor("time"); }), HasSubstr("msgpack extension -1"));
  EXPECT_THAT(refusal_of([&] { read.tensor("parts"); }), HasSubstr("an array of complex64"));
  EXPECT_THAT(refusal_of([&] { read.tensor("absent"); }), HasSubstr("'absent' is missing"));
}

TEST(FlaxFile, JoinsChunksInTheOrderOfTheirNumbers) {
  std::vector<std::string> chunks;
  for (char c = 'a'; c < 'a' + 12; ++c)
    chunks.push_back(flax::array({2}, "uint8", std::string(2, c)));
  const std::string bytes = flax::map({{"params", flax::map({{"w", chunked({4, 6}, chunks)}})}});
  const WeightFile read = parse_flax(bytes, "x");
  ASSERT_EQ(read.tensors.size(), 1u);
  const StoredTensor& tensor = read.tensor("params/w");
  EXPECT_EQ(TensorLayout(tensor), (TensorLayout{ElementType::u8, {4, 6}}));
  std::string joined;
  for (const std::string_view part : tensor.parts) joined += part;
  EXPECT_EQ(joined, "aabbccddeeffgghhiijjkkll");
  EXPECT_EQ(tensor.parts[0].data(), bytes.data() + bytes.find("aa"));
  EXPECT_TRUE(read.metadata.empty());
}

TEST(FlaxFile, RefusesChunksThatDoNotFit) {
  const auto of = [](const std::string& chunks) {
    return flax_refusal(flax::map({{"w", chunks}}));
  };
  const std::string two = flax::array({2}, "uint8", "ab");
  EXPECT_THAT(of(chunked({5}, {two, two})),
              HasSubstr("tensor 'w' (in chunks) has chunks of 4 bytes, its shape [5] takes 5"));
  EXPECT_THAT(of(chunked({4}, {two, flax::array({1, 2}, "uint8", "ab")})), HasSubstr("'w'"));
  EXPECT_THAT(of(chunked({4}, {two, flax::array({2}, "int8", "ab")})), HasSubstr("differ in type"));
  EXPECT_THAT(of(chunked({4}, {two, flax::extension(2, "")})), HasSubstr("'w'"));
  EXPECT_THAT(of(chunked({4}, {two, "\x05"})), HasSubstr("'w'"));
  EXPECT_THAT(of(chunked({}, {})), HasSubstr("'w'"));
  EXPECT_THAT(of(chunked({std::uint64_t{1} << 63, 2}, {two})), HasSubstr("impossible shape"));
  EXPECT_THAT(of(chunked({std::uint64_t{1} << 40, std::uint64_t{1} << 40}, {two})),
              HasSubstr("impossible shape"));
  EXPECT_THAT(of(flax::map({{"__msgpack_chunked_array__", "\xc3"},
                            {"shape", flax::map({{"0", flax::str("2")}, {"1", flax::str("x")}})},
                            {"chunks", flax::map({{"0", two}})}})),
              HasSubstr("impossible shape"));
  // A chunk that is missing, one that is too many.
  EXPECT_THAT(of(flax::map({{"__msgpack_chunked_array__", "\xc3"},
                            {"shape", flax::map({{"0", flax::number(4)}})},
                            {"chunks", flax::map({{"0", two}, {"2", two}})}})),
              HasSubstr("lacks a chunk"));
  EXPECT_THAT(of(flax::map({{"__msgpack_chunked_array__", "\xc3"},
                            {"shape", flax::map({{"0", flax::number(2)}})},
                            {"chunks", flax::map({{"0", two}})},
                            {"extra", two}})),
              HasSubstr("beside shape and chunks"));
}

TEST(FlaxFile, RefusesItselfCutOffAnywhereNamingThePlace) {
  std::string last;
  for (std::size_t size = 1; size < kWhole.size(); ++size) {
    last = flax_refusal(kWhole.substr(0, size));
    EXPECT_THAT(last, HasSubstr("is cut off")) << size;
  }
  EXPECT_THAT(last, HasSubstr("cut off inside 'step', after"));
  const std::size_t inside = kWhole.find("mnopqr") + 2;
  EXPECT_THAT(flax_refusal(kWhole.substr(0, inside)),
              HasSubstr("is cut off inside tensor 'params/Dense_0/bias', after " +
                        std::to_string(inside) + " bytes"));
  EXPECT_THAT(flax_refusal(kWhole.substr(0, 3)), HasSubstr("is cut off, after 3 bytes"));
  EXPECT_THAT(flax_refusal(""), HasSubstr("cut off"));
}

TEST(FlaxFile, SurvivesEveryFlippedBit) {
  for (std::size_t bit = 0; bit < 8 * kWhole.size(); ++bit) {
    std::string flipped = kWhole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    try {
      for (const auto& [name, tensor] : parse_flax(flipped, "x").tensors) {
        EXPECT_EQ(tensor.parts.at(0).size(), size_bytes(tensor)) << name;
        EXPECT_GE(tensor.parts[0].data(), flipped.data());
        EXPECT_LE(tensor.parts[0].data() + tensor.parts[0].size(), flipped.data() + flipped.size());
      }
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::environment) << error.what();
    }
  }
}

TEST(FlaxFile, RefusesWhatFollowsTheCheckpoint) {
  EXPECT_THAT(flax_refusal(kWhole + "more"), HasSubstr("has 4 bytes behind the end"));
}

TEST(FlaxFile, RefusesArraysWhoseContentIsNone) {
  const auto of = [](const std::string& content) {
    const std::string message =
        flax_refusal(flax::map({{"p", flax::map({{"w", flax::extension(1, content)}})}}));
    EXPECT_THAT(message, HasSubstr("'p/w' is ")) << message;
    return message;
  };
  EXPECT_THAT(of(flax::array_content({2, 3}, "float32", std::string(20, 'x'))),
              HasSubstr("'p/w' is an array of [2, 3] float32 with 20 bytes"));
  EXPECT_THAT(of(flax::array_content({0, std::uint64_t{1} << 63}, "uint8", "")),
              HasSubstr("an array of"));
  const std::uint64_t huge = std::uint64_t{1} << 32;
  EXPECT_THAT(of(flax::array_content({huge, huge}, "float32", "")), HasSubstr("an array of"));
  const std::string good = flax::array_content({2}, "uint8", "ab");
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_THAT(of(good.substr(0, size)), HasSubstr("no array of shape, type and bytes"));
  of(good + "x");
  of("\xc0");
  of("\xc1");
  of(flax::map({}));
  of(flax::list({}));
  of(flax::list({flax::list({}), flax::str("uint8")}));
  of(flax::list({flax::list({}), flax::str("uint8"), flax::str("a")}));
  of(flax::list({flax::list({}), flax::bin("uint8"), flax::bin("a")}));
  of(flax::list({flax::number(1), flax::str("uint8"), flax::bin("a")}));
  of(flax::list({flax::list({"\xff"}), flax::str("uint8"), flax::bin("a")}));
  of(flax::list({flax::list({flax::list({})}), flax::str("uint8"), flax::bin("a")}));
  of(flax::list({flax::list({}), flax::list({}), flax::bin("a")}));
  of(flax::list({flax::list({flax::str("uint8")}), flax::str("uint8"), flax::bin("a")}));
  of(flax::array_content(std::vector<std::uint64_t>(40, 1), "uint8", "a"));
}

TEST(FlaxFile, RefusesTreesOfAnotherForm) {
  EXPECT_THAT(flax_refusal("\x05"), HasSubstr("holds no map"));
  EXPECT_THAT(flax_refusal(flax::list({"\x05"})), HasSubstr("holds no map"));
  EXPECT_THAT(flax_refusal(flax::array({1}, "uint8", "a")), HasSubstr("holds no map"));
  EXPECT_THAT(flax_refusal(flax::str("text")), HasSubstr("holds no map"));
  const std::string head = flax::map({{"a", "\x01"}}).substr(0, 1) + flax::big(1, 4);
  for (const std::string& key : {std::string("\x01"), std::string("\xc0"), flax::bin("a"),
                                 flax::list({}), flax::map({}), flax::array({1}, "uint8", "a")})
    EXPECT_THAT(flax_refusal(head + key + "\x01"), HasSubstr("key that is no text"));
  EXPECT_THAT(flax_refusal(flax::map({{"", "\x01"}})), HasSubstr("empty key"));
  EXPECT_THAT(flax_refusal(flax::map({{"\xff", "\x01"}})), HasSubstr("no UTF-8"));
  EXPECT_THAT(flax_refusal(flax::map({{"p", "\xc1"}})), HasSubstr("'p' is no msgpack (byte"));
}

TEST(FlaxFile, RefusesKeysGivenTwice) {
  const std::string w = flax::array({1}, "uint8", "a");
  EXPECT_THAT(flax_refusal(flax::map({{"p", flax::map({{"w", w}, {"w", w}})}})),
              HasSubstr("'p' has the key 'w' twice"));
  EXPECT_THAT(flax_refusal(flax::map({{"p", flax::map({{"w", w}})}, {"p", flax::map({{"v", w}})}})),
              HasSubstr("has the key 'p' twice"));
  // Another way to the same name.
  EXPECT_THAT(flax_refusal(flax::map({{"p", flax::map({{"w", w}})}, {"p/w", w}})),
              HasSubstr("'p/w' is there twice"));
  EXPECT_THAT(flax_refusal(flax::map({{"p", flax::map({{"w", "\x01"}})}, {"p/w", w}})),
              HasSubstr("'p/w' is there twice"));
}

TEST(FlaxFile, RefusesDeepNestingAndLongNames) {
  std::string deep = flax::array({1}, "uint8", "a");
  for (int i = 0; i < 64; ++i) deep = flax::map({{"k", deep}});
  EXPECT_EQ(parse_flax(deep, "x").tensors.size(), 1u);
  EXPECT_THAT(flax_refusal(flax::map({{"k", deep}})), HasSubstr("nested more than 64 deep"));
  std::string lists;
  for (int i = 0; i < 1 << 20; ++i) lists += '\x91';
  EXPECT_THAT(flax_refusal("\x81\xa1k" + lists), HasSubstr("nested more than 64 deep"));
  EXPECT_THAT(flax_refusal(flax::map({{std::string(1025, 'k'), "\x01"}})), HasSubstr("1024 bytes"));
  EXPECT_THAT(flax_refusal(flax::map(
                  {{std::string(600, 'k'), flax::map({{std::string(600, 'l'), "\x01"}})}})),
              HasSubstr("1024 bytes"));
}

TEST(FlaxFile, RefusesHugeClaims) {
  const auto of = [](const std::string& value) { return flax_refusal("\x81\xa1w" + value); };
  EXPECT_THAT(of("\xc9\xff\xff\xff\xff\x01"), HasSubstr("cut off inside tensor 'w'"));
  EXPECT_THAT(of("\xdf\xff\xff\xff\xff"), HasSubstr("cut off inside 'w'"));
  EXPECT_THAT(of("\xdd\xff\xff\xff\xff"), HasSubstr("cut off inside 'w"));
  EXPECT_THAT(of("\xdb\xff\xff\xff\xff"), HasSubstr("cut off inside 'w'"));
  EXPECT_THAT(flax_refusal("\xdf\xff\xff\xff\xff"), HasSubstr("cut off"));
  const auto list_of = [](std::size_t count, const std::string& item) {
    return flax::list(std::vector<std::string>(count, item));
  };
  EXPECT_THAT(of(list_of(200'000, "\x01")), HasSubstr("more than 100000 tensors and values"));
  EXPECT_THAT(of(list_of(500'000, "\x80")), HasSubstr("more than 400000 keys"));
}

}  // namespace
}  // namespace marquee::workers
