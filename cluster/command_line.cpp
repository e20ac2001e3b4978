#include "cluster/command_line.h"

#include <algorithm>
#include <iostream>
#include <sstream>
#include <utility>

#include "cluster/error.h"
#include "cluster/suggest.h"
#include "cluster/text.h"

namespace marquee::cluster {
namespace po = boost::program_options;

namespace {

std::vector<std::string> long_names(const po::options_description& options) {
  std::vector<std::string> names;
  for (const auto& option : options.options()) names.push_back("--" + option->long_name());
  return names;
}

// Where facts_of() waits for them; nothing where a program asked.
thread_local CommandFacts* wanted_facts = nullptr;

void check_words(const po::options_description& options, const po::variables_map& values) {
  for (const auto& option : options.options()) {
    const auto* known = dynamic_cast<const OptionWords*>(option->semantic().get());
    const po::variable_value& value = values[option->long_name()];
    if (known == nullptr || !known->closed() || value.empty() || value.defaulted()) continue;
    const auto& word = value.as<std::string>();
    const std::vector<std::string>& words = known->words();
    if (std::find(words.begin(), words.end(), word) != words.end()) continue;
    throw_usage("--" + option->long_name() + " is '" + printable(word) + "'" +
                did_you_mean(word, words) + "; expected " +
                (words.size() > 3 ? "one of " + join(words) : join(words, " or ")));
  }
}

}  // namespace

std::string CommandLine::help() const {
  std::ostringstream out;
  out << "Usage: " << usage << "\n\n" << text << "\n\n" << options;
  return out.str();
}

po::variables_map parse(CommandLine& line, const Arguments& arguments) {
  constexpr const char* kDryRun = "dry-run";
  const bool own_dry_run = line.options.find_nothrow(kDryRun, false) != nullptr;
  if (!own_dry_run)
    line.options.add_options()(kDryRun, "check these options, say so, and do nothing");
  line.options.add_options()("help,h", "show this help and exit");
  po::options_description all, program;
  program.add_options()("describe", "");
  all.add(line.options).add(line.hidden).add(program);
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
    if (values.count("help") == 0 && values.count("describe") == 0) po::notify(values);
  } catch (const po::unknown_option& error) {
    const std::string name = error.get_option_name();
    throw_usage("unknown option '" + name + "'" + did_you_mean(name, long_names(line.options)) +
                hint);
  } catch (const po::too_many_positional_options_error&) {
    throw_usage("too many arguments" + hint);
  } catch (const po::error& error) {
    throw_usage(error.what() + hint);
  }
  if (values.count("help") == 0) check_words(all, values);
  line.only_checked = !own_dry_run && values.count(kDryRun) > 0;
  return values;
}

bool answered(const CommandLine& line, const po::variables_map& values) {
  if (values.count("describe") > 0) {
    if (wanted_facts != nullptr)
      *wanted_facts = facts_of(line);
    else
      std::cout << to_json(facts_of(line)) << "\n";
    return true;
  }
  if (values.count("help") > 0) {
    std::cout << line.help();
  } else if (line.only_checked) {
    std::cout << "understood; nothing was done (--dry-run)\n";
  } else {
    return false;
  }
  return true;
}

CommandFacts facts_of(int (*run)(const Arguments& arguments)) {
  CommandFacts facts;
  CommandFacts* const before = std::exchange(wanted_facts, &facts);
  try {
    run({"--describe"});
  } catch (...) {
    wanted_facts = before;
    throw;
  }
  wanted_facts = before;
  MARQUEE_CHECK(!facts.usage.empty(), "a command does not describe itself");
  return facts;
}

}  // namespace marquee::cluster
