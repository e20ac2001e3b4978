#include "experiments/yaml_limits.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace marquee::experiments {
namespace {

// "LINE: what", or "" where nothing is wrong.
std::string refusal(const std::string& text, const YamlLimits& limits = {}) {
  try {
    check_yaml(
        text,
        [](std::size_t line, const std::string& what) {
          throw std::runtime_error(std::to_string(line) + ": " + what);
        },
        limits);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

TEST(YamlLimits, LetOrdinaryFilesThrough) {
  EXPECT_EQ(refusal(""), "");
  EXPECT_EQ(refusal("a: 1\nb: [x, {c: ~}]\n"), "");
  EXPECT_EQ(refusal("a: &seeds [0, 1]\nb: *seeds\n"), "");
  EXPECT_EQ(refusal("# caf\xC3\xA9\na: \xE2\x82\xAC\n"), "");
}

TEST(YamlLimits, CountValuesBeforeAliasesAreExpanded) {
  YamlLimits limits;
  limits.values = 100;
  std::string text = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n";
  EXPECT_EQ(refusal(text + "b: [*a, *a, *a, *a]\n", limits), "");
  EXPECT_TRUE(says(refusal(text + "b: [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n", limits),
                   "2: the file holds more than 100 values"));
  // Ten levels of ten: 10^10 values, refused within the file's own length.
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c <= 'j'; ++c) {
    const std::string last = "*" + std::string(1, static_cast<char>(c - 1));
    bomb += std::string(1, c) + ": &" + c + " [" + last;
    for (int i = 0; i < 9; ++i) bomb += ", " + last;
    bomb += "]\n";
  }
  EXPECT_TRUE(says(refusal(bomb), "more than 200000 values")) << refusal(bomb);
}

TEST(YamlLimits, RefuseAnAliasInsideWhatItStandsFor) {
  EXPECT_TRUE(says(refusal("a: &a\n  b: *a\n"), "2: holds an alias inside"));
}

TEST(YamlLimits, BoundDepthAndScalars) {
  YamlLimits limits;
  limits.depth = 3;
  limits.scalar_bytes = 5;
  EXPECT_EQ(refusal("a: [[1]]\n", limits), "");
  EXPECT_TRUE(says(refusal("x: 1\na: [[[1]]]\n", limits), "2: has lists and mappings more than 3"));
  EXPECT_EQ(refusal("a: 12345\n", limits), "");
  EXPECT_TRUE(says(refusal("a: 123456\n", limits), "1: holds a value of 6 bytes"));
  EXPECT_TRUE(says(refusal("123456: a\n", limits), "1: holds a value of 6 bytes"));
  EXPECT_NE(refusal("a: " + std::string(200'000, '[')), "");
  EXPECT_NE(refusal("a: " + std::string(200'000, '{')), "");
}

TEST(YamlLimits, RefuseKeysThatStandTwiceAtAnyDepth) {
  EXPECT_TRUE(says(refusal("a: 1\nb: 2\na: 3\n"), "3: key 'a' stands twice"));
  EXPECT_TRUE(says(refusal("x:\n  - {k: 1, l: 2,\n     k: 3}\n"), "3: key 'k' stands twice"));
  EXPECT_EQ(refusal("x: {k: 1}\ny: {k: 1}\n"), "");
  EXPECT_EQ(refusal("k: k\nl: k\n"), "") << "values are no keys";
  EXPECT_TRUE(says(refusal("x: {b: {c: 1}, b: 1}\n"), "twice")) << "after a nested mapping";
}

TEST(YamlLimits, RefuseKeysThatAreNoWords) {
  EXPECT_TRUE(says(refusal("? [a, b]\n: 1\n"), "no word"));
  EXPECT_TRUE(says(refusal("{~: 1}\n"), "no word"));
  EXPECT_TRUE(says(refusal("a: &a x\n*a : 1\n"), "no word"));
}

TEST(YamlLimits, RefuseControlCharactersInValues) {
  EXPECT_TRUE(says(refusal("a: 1\nb: \"\\e[2J\"\n"), "2: holds the control character U+001B"));
  EXPECT_TRUE(says(refusal("a: \"x\\ny\"\n"), "U+000A"));
  EXPECT_TRUE(says(refusal("a: \"x\\0y\"\n"), "U+0000"));
  EXPECT_TRUE(says(refusal("a: |\n  two\n  lines\n"), "U+000A"));
  EXPECT_TRUE(says(refusal("\"k\\u202e\": 1\n"), "U+202E"));
}

TEST(YamlLimits, RefuseWhatIsNoUtf8AtItsLine) {
  EXPECT_TRUE(says(refusal("a: 1\nb: \xFF\n"), "2: holds bytes that are no UTF-8"));
  EXPECT_TRUE(says(refusal("\xFF\xFE a"), "1: holds bytes that are no UTF-8"));
}

TEST(YamlLimits, RefuseASecondDocument) {
  EXPECT_EQ(refusal("---\na: 1\n"), "");
  EXPECT_TRUE(says(refusal("a: 1\n---\nb: 2\n"), "second document"));
}

}  // namespace
}  // namespace marquee::experiments
