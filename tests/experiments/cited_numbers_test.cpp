// What references.yaml may hold, and that each mistake is named with its line.
#include "experiments/cited_numbers.h"

#include <fstream>

#include <gmock/gmock.h>

#include "cluster/error.h"
#include "cluster/text.h"
#include "tests/cluster/temporary_folder.h"

namespace marquee::experiments {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::vector<std::string> kMetrics{"fid", "kid"};

constexpr const char* kReferences =
    "references:\n"
    "  author2024: {citation: \"A. Author, A Paper, 2024\", url: "
    "\"https://example.org/p?a=1&b=2\"}\n"
    "  other2023:\n"
    "    citation: B. Other, 2023\n";

std::string entry(const std::string& changed = "", const std::string& value = "") {
  const std::vector<std::pair<std::string, std::string>> parts{
      {"reference", "author2024"}, {"generator", "A-GAN"},
      {"task", "eurosat"},         {"shots", "5"},
      {"metric", "fid"},           {"value", "12.30"},
      {"protocol", "10k samples"}, {"page", "7"}};
  std::string text;
  bool known = changed.empty();
  for (const auto& [key, usual] : parts) {
    known = known || key == changed;
    const std::string& written = key == changed ? value : usual;
    if (!written.empty()) text += (text.empty() ? "  - " : "    ") + key + ": " + written + "\n";
  }
  return known ? text : text + "    " + changed + ": " + value + "\n";
}

class CitedNumbers : public testing::Test {
 protected:
  std::vector<CitedNumber> read(const std::string& text) {
    std::ofstream(file(), std::ios::binary) << text;
    return read_cited_numbers(file(), kMetrics);
  }
  // Without the file's name in front: "LINE: what".
  std::string refusal(const std::string& text) {
    try {
      read(text);
    } catch (const cluster::Error& error) {
      EXPECT_EQ(error.kind(), cluster::ErrorKind::usage) << error.what();
      EXPECT_FALSE(cluster::control_character(error.what())) << error.what();
      const std::string what = error.what(), begin = file().string() + ":";
      EXPECT_TRUE(what.starts_with(begin)) << what;
      return what.substr(begin.size());
    }
    return "";
  }
  std::string refused_entry(const std::string& key, const std::string& value) {
    return refusal(kReferences + std::string("numbers:\n") + entry(key, value));
  }
  std::filesystem::path file() const { return folder_.path() / "references.yaml"; }

  cluster::TemporaryFolder folder_;
};

TEST_F(CitedNumbers, AreReadAsTheyAreWritten) {
  const auto numbers = read(kReferences + std::string("numbers:\n") + entry("note", "its Table 3") +
                            entry("reference", "other2023") + entry("shots", "vtab1k") +
                            entry("protocol", "50k samples"));
  ASSERT_EQ(numbers.size(), 4U);
  EXPECT_EQ(numbers[0].reference, "author2024");
  EXPECT_EQ(numbers[0].citation, "A. Author, A Paper, 2024");
  EXPECT_EQ(numbers[0].url, "https://example.org/p?a=1&b=2");
  EXPECT_EQ(numbers[0].generator, "A-GAN");
  EXPECT_EQ(numbers[0].task, "eurosat");
  EXPECT_EQ(numbers[0].shots, "5");
  EXPECT_EQ(numbers[0].metric, "fid");
  EXPECT_EQ(numbers[0].value, 12.3);
  EXPECT_EQ(numbers[0].value_text, "12.30");
  EXPECT_EQ(numbers[0].protocol, "10k samples");
  EXPECT_EQ(numbers[0].page, "7");
  EXPECT_EQ(numbers[0].note, "its Table 3");
  EXPECT_EQ(numbers[1].citation, "B. Other, 2023");
  EXPECT_EQ(numbers[1].url, "");
  EXPECT_EQ(numbers[2].shots, "vtab1k");
  EXPECT_EQ(numbers[3].protocol, "50k samples");
}

TEST_F(CitedNumbers, TakeDrawnTasks) {
  EXPECT_EQ(read(kReferences + std::string("numbers:\n") + entry("task", "drawn/digits"))[0].task,
            "drawn/digits");
}

TEST_F(CitedNumbers, NeedEveryKeyButTheNote) {
  for (const char* key :
       {"reference", "generator", "task", "shots", "metric", "value", "protocol", "page"}) {
    EXPECT_THAT(refused_entry(key, ""),
                HasSubstr("'" + std::string(key) + "' is missing in an entry of 'numbers'"));
    EXPECT_THAT(refused_entry(key, "~"), HasSubstr("'" + std::string(key) + "' must be a"));
    EXPECT_THAT(refused_entry(key, "[1]"), HasSubstr("'" + std::string(key) + "' must be a"));
    EXPECT_THAT(refused_entry(key, "' '"), HasSubstr("'" + std::string(key) + "' must be a"));
  }
  EXPECT_THAT(refused_entry("note", "{a: b}"), HasSubstr("'note' must be a text"));
}

TEST_F(CitedNumbers, NameLineKeyAndNearestWord) {
  EXPECT_THAT(refused_entry("refrence", "author2024"),
              AllOf(HasSubstr("14: "), HasSubstr("unknown key 'refrence' in 'numbers' (did you "
                                                 "mean 'reference'?)")));
  EXPECT_THAT(
      refused_entry("reference", "author2042"),
      AllOf(HasSubstr("6: "), HasSubstr("'reference' is 'author2042' (did you mean "
                                        "'author2024'?); expected one of author2024, other2023")));
  EXPECT_THAT(refused_entry("task", "eurosta"),
              AllOf(HasSubstr("8: "), HasSubstr("'task' is 'eurosta' (did you mean 'eurosat'?)")));
  EXPECT_THAT(refused_entry("task", "folder/mine"), HasSubstr("'task' is 'folder/mine'"));
  EXPECT_THAT(refused_entry("metric", "kidd"),
              AllOf(HasSubstr("10: "), HasSubstr("'metric' is 'kidd' (did you mean 'kid'?)")));
  for (const char* shots : {"0", "05", "-1", "five", "1.5", "99999999999"})
    EXPECT_THAT(refused_entry("shots", shots), AllOf(HasSubstr("9: "), HasSubstr("'shots' is ")));
  for (const char* value : {".nan", ".inf", "1e400", "1e10", "0x10", "12,3", "12.3 ± 1", "lower"})
    EXPECT_THAT(refused_entry("value", value),
                AllOf(HasSubstr("11: "), HasSubstr("'value' must be a number from")));
}

TEST_F(CitedNumbers, BoundEveryText) {
  EXPECT_THAT(refused_entry("generator", std::string(101, 'x')),
              HasSubstr("'generator' is a text of 101 bytes; expected at most 100"));
  EXPECT_THAT(refused_entry("page", std::string(101, 'x')), HasSubstr("'page' is a text of 101"));
  EXPECT_THAT(refused_entry("value", "1." + std::string(99, '0')), HasSubstr("'value' is a text"));
  EXPECT_THAT(refused_entry("protocol", std::string(501, 'x')),
              HasSubstr("'protocol' is a text of 501 bytes; expected at most 500"));
  EXPECT_THAT(refused_entry("note", std::string(501, 'x')), HasSubstr("'note' is a text of 501"));
  EXPECT_EQ(refused_entry("protocol", std::string(500, 'x')), "");
  const std::string numbers = "numbers:\n" + entry();
  EXPECT_THAT(
      refusal("references: {author2024: {citation: " + std::string(501, 'x') + "}}\n" + numbers),
      HasSubstr("'citation' is a text of 501"));
  EXPECT_THAT(refusal("references: {" + std::string(101, 'x') + ": {citation: y}}\n" + numbers),
              HasSubstr("'references' is a text of 101"));
}

TEST_F(CitedNumbers, BoundTheFileAndItsEntries) {
  std::string many = "references:\n";
  for (int i = 0; i < 501; ++i) many += "  k" + std::to_string(i) + ": {citation: x}\n";
  EXPECT_THAT(refusal(many + "numbers:\n" + entry()),
              HasSubstr("'references' holds 501 entries; expected at most 500"));
  std::string text = kReferences + std::string("numbers:\n  - &a {reference: author2024}\n");
  for (int i = 0; i < 5000; ++i) text += "  - *a\n";
  EXPECT_THAT(refusal(text), HasSubstr("'numbers' holds 5001 entries; expected at most 5000"));
  EXPECT_THAT(refusal(kReferences + std::string("#") + std::string(1 << 20, 'x')),
              HasSubstr("expected at most 1048576"));
}

TEST_F(CitedNumbers, HaveReferencesThatCite) {
  const std::string numbers = "numbers:\n" + entry();
  EXPECT_THAT(refusal(numbers), HasSubstr("'references' is missing in the file"));
  EXPECT_THAT(refusal(kReferences), HasSubstr("'numbers' is missing in the file"));
  EXPECT_THAT(refusal(kReferences + std::string("numbers: []\n")),
              HasSubstr("'numbers' must be a list"));
  EXPECT_THAT(refusal(kReferences + std::string("numbers: {a: b}\n")),
              HasSubstr("'numbers' must be a list"));
  EXPECT_THAT(refusal(kReferences + std::string("numbers: [1]\n")),
              HasSubstr("'numbers' must hold keys"));
  EXPECT_THAT(refusal("references: [a]\n" + numbers), HasSubstr("'references' must hold keys"));
  EXPECT_THAT(refusal("references: {}\n" + numbers), HasSubstr("'references' must hold keys"));
  EXPECT_THAT(refusal("references: {a: b}\n" + numbers),
              HasSubstr("'a' must hold keys and values"));
  EXPECT_THAT(refusal("references:\n  a: {url: \"https://example.org\"}\n" + numbers),
              AllOf(HasSubstr("2: "), HasSubstr("'citation' is missing in reference 'a'")));
  EXPECT_THAT(refusal("references: {a: {citation: x, ulr: y}}\n" + numbers),
              HasSubstr("unknown key 'ulr' in 'a' (did you mean 'url'?)"));
  EXPECT_THAT(refusal("references: {a: {citation: x}, a: {citation: y}}\n" + numbers),
              HasSubstr("key 'a' stands twice"));
  EXPECT_THAT(refusal(kReferences + std::string("number:\n") + entry()),
              HasSubstr("unknown key 'number' in 'references.yaml' (did you mean 'numbers'?)"));
}

TEST_F(CitedNumbers, LinkToNothingThatRuns) {
  for (const char* url : {"javascript:alert(1)", "https://", "ftp://example.org", "https://a b",
                          "'https://a\"onclick=x'", "https://a'b", "https://<script>",
                          "//example.org", "https://ex\xC3\xA4mple.org", "'https://a\\write18'"}) {
    EXPECT_THAT(refusal("references: {author2024: {citation: x, url: " +
                        (url[0] == '\'' ? std::string(url) : "\"" + std::string(url) + "\"") +
                        "}}\nnumbers:\n" + entry()),
                HasSubstr("1: 'url' is '"))
        << url;
  }
}

TEST_F(CitedNumbers, HoldNoControlCharacters) {
  EXPECT_THAT(refused_entry("generator", "\"\\e[31mred\""), HasSubstr("control character U+001B"));
  EXPECT_THAT(refused_entry("protocol", "\"a\\nb\""), HasSubstr("control character U+000A"));
  EXPECT_THAT(refused_entry("page", "\"\\u202E7\""), HasSubstr("control character U+202E"));
  EXPECT_THAT(refused_entry("note", "\xFF"), HasSubstr("no UTF-8"));
}

TEST_F(CitedNumbers, StandOnce) {
  const std::string begin = kReferences + std::string("numbers:\n") + entry();
  EXPECT_THAT(refusal(begin + entry("value", "99") + entry()),
              AllOf(HasSubstr("14: "), HasSubstr("holds fid of 'A-GAN', eurosat, 5 shots twice")));
  for (const auto& [key, value] : std::map<std::string, std::string>{{"reference", "other2023"},
                                                                     {"generator", "B-GAN"},
                                                                     {"task", "dtd"},
                                                                     {"shots", "full"},
                                                                     {"metric", "kid"},
                                                                     {"protocol", "other"}})
    EXPECT_EQ(refusal(begin + entry(key, value)), "") << key;
  EXPECT_NE(refusal(begin + entry("page", "8")), "");
  EXPECT_NE(refusal(begin + entry("note", "again")), "");
}

TEST_F(CitedNumbers, AreFoundInTheResultsFolderOrWhereTheUserSays) {
  EXPECT_TRUE(find_cited_numbers("", folder_.path(), kMetrics).empty());
  EXPECT_TRUE(find_cited_numbers("", "", kMetrics).empty());
  read(kReferences + std::string("numbers:\n") + entry());
  EXPECT_EQ(find_cited_numbers("", folder_.path(), kMetrics).size(), 1U);
  const auto other = folder_.path() / "other.yaml";
  std::ofstream(other) << kReferences << "numbers:\n" << entry() << entry("task", "dtd");
  EXPECT_EQ(find_cited_numbers(other, folder_.path(), kMetrics).size(), 2U);
}

TEST_F(CitedNumbers, ThatCannotBeReadAreAnErrorOfTheEnvironment) {
  const auto kind_of = [&](const std::filesystem::path& named) {
    try {
      find_cited_numbers(named, folder_.path(), kMetrics);
    } catch (const cluster::Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(".yaml"));
      return error.kind();
    }
    return cluster::ErrorKind::defect;
  };
  EXPECT_EQ(kind_of(folder_.path() / "missing.yaml"), cluster::ErrorKind::environment);
  std::filesystem::create_symlink(folder_.path() / "nowhere", file());
  EXPECT_EQ(kind_of(""), cluster::ErrorKind::environment);
  std::filesystem::remove(file());
  std::filesystem::create_directory(file());
  EXPECT_EQ(kind_of(""), cluster::ErrorKind::environment);
}

}  // namespace
}  // namespace marquee::experiments
