#include "cluster/command_line.h"

#include <gtest/gtest.h>

#include "cluster/error.h"

namespace marquee::cluster {
namespace {

namespace po = boost::program_options;

CommandLine sample_line() {
  CommandLine line;
  line.usage = "marquee thing FILE [options]";
  line.options.add_options()("workers", po::value<int>()->default_value(1), "how many");
  line.hidden.add_options()("file", po::value<std::string>()->required(), "FILE");
  line.positional.add("file", 1);
  return line;
}

std::string usage_error(const Arguments& arguments) {
  CommandLine line = sample_line();
  try {
    parse(line, arguments);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "";
}

TEST(CommandLine, ReadsOptionsAndPositionalArguments) {
  CommandLine line = sample_line();
  const auto values = parse(line, {"a.yaml", "--workers", "3"});
  EXPECT_EQ(values["file"].as<std::string>(), "a.yaml");
  EXPECT_EQ(values["workers"].as<int>(), 3);
}

TEST(CommandLine, SuggestsTheNearestOption) {
  EXPECT_NE(usage_error({"a.yaml", "--worker", "3"}).find("did you mean '--workers'"),
            std::string::npos);
}

TEST(CommandLine, RefusesAMissingArgument) {
  EXPECT_NE(usage_error({"--workers", "3"}).find("file"), std::string::npos);
}

TEST(CommandLine, RefusesTooManyArguments) {
  EXPECT_NE(usage_error({"a", "b"}).find("too many"), std::string::npos);
}

TEST(CommandLine, RefusesAnIllTypedValue) {
  EXPECT_NE(usage_error({"a", "--workers", "many"}).find("many"), std::string::npos);
}

TEST(CommandLine, AnswersHelpWithoutRequiredArguments) {
  CommandLine line = sample_line();
  EXPECT_EQ(parse(line, {"--help"}).count("help"), 1u);
  EXPECT_NE(line.help().find("--workers"), std::string::npos);
}

// What a command with these options would do: 0 nothing more, 1 its work.
int run_thing(CommandLine line, const Arguments& arguments) {
  const po::variables_map values = parse(line, arguments);
  return answered(line, values) ? 0 : 1;
}

TEST(CommandLine, ADryRunChecksAsAlwaysAndDoesNothing) {
  EXPECT_EQ(run_thing(sample_line(), {"a.yaml", "--workers", "3"}), 1);
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_thing(sample_line(), {"a.yaml", "--workers", "3", "--dry-run"}), 0);
  EXPECT_NE(testing::internal::GetCapturedStdout().find("understood"), std::string::npos);
  for (const Arguments& wrong : {Arguments{"--dry-run"},
                                 {"a", "b", "--dry-run"},
                                 {"a", "--worker", "3", "--dry-run"},
                                 {"a", "--workers", "many", "--dry-run"}})
    EXPECT_NE(usage_error(wrong), "");
}

TEST(CommandLine, ACommandsOwnDryRunIsLeftToIt) {
  CommandLine line = sample_line();
  line.options.add_options()("dry-run", "list what would be done");
  EXPECT_EQ(run_thing(line, {"a.yaml", "--dry-run"}), 1);
}

int run_words(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee thing FILE";
  line.text = "What it does.";
  line.options.add_options()("out,o", po::value<std::string>()->value_name("DIR")->required(),
                             "to")("format", one_of({"table", "csv"})->default_value("table"),
                                   "of it")(
      "task", such_as<std::vector<std::string>>({"dtd"})->composing(), "again and again")(
      "steps", po::value<int>()->default_value(3), "how many")("json", "for scripts");
  line.hidden.add_options()("file", po::value<std::string>()->value_name("FILE")->required(), "it")(
      "secret", po::value<int>(), "not of a person");
  line.positional.add("file", 1);
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  return values["format"].as<std::string>() == "csv" ? 1 : 2;
}

TEST(CommandLine, RefusesAnotherWordAndNamesTheNearest) {
  EXPECT_EQ(run_words({"f", "--out", "d", "--format", "csv"}), 1);
  EXPECT_EQ(run_words({"f", "--out", "d"}), 2);
  EXPECT_EQ(run_words({"f", "--out", "d", "--task", "no_such_task"}), 2);  // others may be right
  try {
    run_words({"f", "--out", "d", "--format", "cvs"});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "--format is 'cvs' (did you mean 'csv'?); expected table or csv");
  }
}

TEST(CommandFacts, HoldWhatIsDeclared) {
  const CommandFacts facts = facts_of(run_words);
  EXPECT_EQ(facts.usage, "marquee thing FILE");
  ASSERT_EQ(facts.options.size(), 7u);  // --dry-run and --help among them
  EXPECT_EQ(facts.options[0],
            (OptionFacts{
                .name = "out", .short_name = "o", .value = "DIR", .text = "to", .required = true}));
  EXPECT_TRUE(is_folder(facts.options[0]));
  EXPECT_EQ(facts.options[1], (OptionFacts{.name = "format",
                                           .value = "table|csv",
                                           .default_text = "table",
                                           .text = "of it",
                                           .words = {"table", "csv"}}));
  EXPECT_EQ(facts.options[2], (OptionFacts{.name = "task",
                                           .value = "TEXT",
                                           .text = "again and again",
                                           .repeated = true,
                                           .words = {"dtd"}}));
  EXPECT_EQ(
      facts.options[3],
      (OptionFacts{.name = "steps", .value = "NUMBER", .default_text = "3", .text = "how many"}));
  EXPECT_EQ(facts.options[4], (OptionFacts{.name = "json", .text = "for scripts"}));
  ASSERT_EQ(facts.operands.size(), 1u);
  EXPECT_TRUE(is_file(facts.operands[0]));
}

TEST(CommandFacts, SurviveAsJson) {
  CommandFacts facts = facts_of(run_words);
  facts.name = "thing";
  facts.parts = {facts};
  EXPECT_EQ(command_facts_from(to_json(facts), "test"), facts);
}

TEST(CommandFacts, RefuseNamesThatMeanSomethingToAShell) {
  CommandFacts facts = facts_of(run_words);
  facts.name = "thing";
  for (const std::string name : {"a b", "$(x)", "`x`", "a'b", "-x", "", "a;b", "a\nb", "*"}) {
    CommandFacts hostile = facts;
    hostile.options[0].name = name;
    EXPECT_THROW(command_facts_from(to_json(hostile), "test"), Error) << name;
    hostile = facts;
    hostile.options[1].words[0] = name;
    EXPECT_THROW(command_facts_from(to_json(hostile), "test"), Error) << name;
    hostile = facts;
    hostile.name = name;
    EXPECT_THROW(command_facts_from(to_json(hostile), "test"), Error) << name;
  }
  for (const char* text : {"", "[]", "{}", "nonsense"})
    EXPECT_THROW(command_facts_from(text, "test"), Error) << text;
}

}  // namespace
}  // namespace marquee::cluster
