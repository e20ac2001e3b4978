// Command lines of the subcommands: options are declared once with Boost.Program_options; help,
// parsing, defaults and error texts come from that declaration.
#pragma once

#include <string>
#include <vector>

#include <boost/program_options.hpp>

namespace marquee::cluster {

using Arguments = std::vector<std::string>;

// What a subcommand declares.
struct CommandLine {
  std::string usage;  // "marquee sweep FILE --out DIR [options]"
  std::string text;   // what it does, examples
  boost::program_options::options_description options{"Options"};
  boost::program_options::options_description hidden;  // positional arguments
  boost::program_options::positional_options_description positional;

  std::string help() const;
};

// Parses `arguments` (those after the subcommand's name); adds --help itself. Throws usage that
// names the option and the nearest valid one.
boost::program_options::variables_map parse(CommandLine& line, const Arguments& arguments);

// True after printing the help text to standard output, when --help was given.
bool printed_help(const CommandLine& line, const boost::program_options::variables_map& values);

}  // namespace marquee::cluster
