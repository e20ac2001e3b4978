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

}  // namespace
}  // namespace marquee::cluster
