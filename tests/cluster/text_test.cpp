#include "cluster/text.h"

#include <gtest/gtest.h>

namespace marquee::cluster {
namespace {

TEST(Utf8, AcceptsEverySizeAndRefusesWhatIsNone) {
  EXPECT_FALSE(invalid_utf8(""));
  EXPECT_FALSE(invalid_utf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
  EXPECT_EQ(invalid_utf8("ab\xFF"), 2u);
  EXPECT_EQ(invalid_utf8("\xC0\xAF"), 0u) << "overlong";
  EXPECT_EQ(invalid_utf8("\xE0\x80\xAF"), 0u) << "overlong";
  EXPECT_EQ(invalid_utf8("\xED\xA0\x80"), 0u) << "surrogate";
  EXPECT_EQ(invalid_utf8("\xF4\x90\x80\x80"), 0u) << "above U+10FFFF";
  EXPECT_EQ(invalid_utf8("x\xE2\x82"), 1u) << "cut";
  EXPECT_EQ(invalid_utf8("\x80"), 0u) << "no lead";
}

TEST(ControlCharacter, NamesTheFirst) {
  EXPECT_FALSE(control_character("plain, \xC3\xA9 and \xF0\x9F\x98\x80"));
  EXPECT_EQ(control_character("a\x1b[31m"), "U+001B");
  EXPECT_EQ(control_character("a\nb"), "U+000A");
  EXPECT_EQ(control_character(std::string(1, '\0')), "U+0000");
  EXPECT_EQ(control_character("\x7f"), "U+007F");
  EXPECT_EQ(control_character("\xC2\x9B"), "U+009B") << "C1";
  EXPECT_EQ(control_character("\xE2\x80\xAE"), "U+202E") << "right-to-left override";
  EXPECT_EQ(control_character("\xE2\x80\xA8"), "U+2028") << "line separator";
}

TEST(Printable, LeavesNothingThatATerminalObeys) {
  EXPECT_EQ(printable("caf\xC3\xA9"), "caf\xC3\xA9");
  EXPECT_EQ(printable("\x1b]0;x\x07"), "\\x1b]0;x\\x07");
  EXPECT_EQ(printable("a\nb\tc"), "a\\nb\\tc");
  EXPECT_EQ(printable("a\nb\tc", true), "a\nb\\tc");
  EXPECT_EQ(printable("\xE2\x80\xAE"), "\\u{202e}");
  EXPECT_EQ(printable("x\xFFy"), "x\\xffy");
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
  EXPECT_FALSE(control_character(printable(every)));
  EXPECT_FALSE(invalid_utf8(printable(every)));
}

}  // namespace
}  // namespace marquee::cluster
