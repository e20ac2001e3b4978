// Command lines of the subcommands: options are declared once with Boost.Program_options; help,
// parsing, defaults and error texts come from that declaration.
#pragma once

#include <string>
#include <vector>

#include <boost/program_options.hpp>

#include "cluster/command_facts.h"
#include "cluster/option_words.h"

namespace marquee::cluster {

using Arguments = std::vector<std::string>;

// A command of its own behind the first word of another: `features` of `marquee import`.
struct CommandPart {
  std::string name;
  std::string summary;  // one line
  int (*run)(const Arguments& arguments);
};

// What a subcommand declares. The name of an option's value says what it is to readers of the help
// and to shells: FILE and DIR are completed as paths.
struct CommandLine {
  std::string usage;  // "marquee sweep FILE --out DIR [options]"
  std::string text;   // what it does, examples
  boost::program_options::options_description options{"Options"};
  boost::program_options::options_description hidden;  // positional arguments
  boost::program_options::positional_options_description positional;
  std::vector<CommandPart> parts{};  // of a command that has some besides what it does itself
  bool only_checked = false;         // set by parse(): --dry-run of a command without its own

  std::string help() const;
};

// Parses `arguments` (those after the subcommand's name); adds --help itself, and --dry-run where
// the command declares none that says what it would do. Throws usage that names the option and the
// nearest valid one, or the option's value and the nearest word for it.
boost::program_options::variables_map parse(CommandLine& line, const Arguments& arguments);

// True when the words asked about the command and the answer stands on standard output: its help
// text (--help), its facts as JSON (--describe, for programs), or that they were understood
// (--dry-run of a command without its own). Every command asks, or it could not describe itself.
bool answered(const CommandLine& line, const boost::program_options::variables_map& values);

// What a command says of itself: it is run with --describe alone, which answered() answers.
CommandFacts facts_of(int (*run)(const Arguments& arguments));

}  // namespace marquee::cluster
