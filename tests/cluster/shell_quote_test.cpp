#include "cluster/shell_quote.h"

#include <random>

#include <gtest/gtest.h>

#include "cluster/error.h"
#include "cluster/program_output.h"

namespace marquee::cluster {
namespace {

// What a shell makes of the words, each in brackets.
std::string as_read_by(const std::string& shell, const std::vector<std::string>& words) {
  const ProgramOutput output =
      run_program({shell, "-c", "printf '<%s>' " + shell_words(words)}, 10);
  EXPECT_EQ(output.status, (ExitStatus{0, 0})) << output.err;
  return output.out;
}

TEST(ShellQuote, LeavesPlainWordsReadable) {
  EXPECT_EQ(shell_words({"marquee", "--out", "/data/run_1/x.yaml", "a:b,c@d+e%"}),
            "marquee --out /data/run_1/x.yaml a:b,c@d+e%");
  EXPECT_EQ(shell_quote("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quote(""), "''");
  EXPECT_EQ(shell_quote("A=1"), "'A=1'") << "would be an assignment";
  EXPECT_EQ(shell_quote("~root"), "'~root'");
}

TEST(ShellQuote, NothingInAWordIsMoreThanText) {
  for (const char* shell : {"sh", "bash"}) {
    for (const char* word :
         {"$(touch /tmp/x)", "`id`", "a;b", "a\nb", "*", "~", "$HOME", "!x", "-n", "\\", "'", "\"",
          "'; rm -rf / #", "a b", "&&", "{a,b}", "#x", "=x"})
      EXPECT_EQ(as_read_by(shell, {word}), "<" + std::string(word) + ">") << shell;
  }
}

TEST(ShellQuote, AnyBytesComeBackAsTheyWere) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> byte(1, 255), length(0, 40);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> words(5);
    std::string expected;
    for (std::string& word : words) {
      for (int i = length(random); i > 0; --i) word += static_cast<char>(byte(random));
      expected += "<" + word + ">";
    }
    EXPECT_EQ(as_read_by("sh", words), expected);
  }
}

TEST(ShellQuote, RefusesAZeroByte) {
  EXPECT_THROW(shell_quote(std::string("a\0b", 3)), Error);
}

}  // namespace
}  // namespace marquee::cluster
