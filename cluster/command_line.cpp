#include "cluster/command_line.h"

#include <iostream>
#include <sstream>

#include "cluster/error.h"
#include "cluster/suggest.h"

namespace marquee::cluster {
namespace po = boost::program_options;

namespace {

std::vector<std::string> long_names(const po::options_description& options) {
  std::vector<std::string> names;
  for (const auto& option : options.options()) names.push_back("--" + option->long_name());
  return names;
}

}  // namespace

std::string CommandLine::help() const {
  std::ostringstream out;
  out << "Usage: " << usage << "\n\n" << text << "\n\n" << options;
  return out.str();
}

po::variables_map parse(CommandLine& line, const Arguments& arguments) {
  line.options.add_options()("help,h", "show this help and exit");
  po::options_description all;
  all.add(line.options).add(line.hidden);
  const std::string hint = "\nusage: " + line.usage + "   (--help explains)";
  po::variables_map values;
  try {
    using namespace po::command_line_style;
    const auto style = unix_style & ~allow_guessing;
    po::store(po::command_line_parser(arguments)
                  .options(all)
                  .positional(line.positional)
                  .style(style)
                  .run(),
              values);
    // Required options are no reason to refuse --help.
    if (values.count("help") == 0) po::notify(values);
  } catch (const po::unknown_option& error) {
    const std::string name = error.get_option_name();
    throw_usage("unknown option '" + name + "'" + did_you_mean(name, long_names(line.options)) +
                hint);
  } catch (const po::too_many_positional_options_error&) {
    throw_usage("too many arguments" + hint);
  } catch (const po::error& error) {
    throw_usage(error.what() + hint);
  }
  return values;
}

bool printed_help(const CommandLine& line, const po::variables_map& values) {
  if (values.count("help") == 0) return false;
  std::cout << line.help();
  return true;
}

}  // namespace marquee::cluster
