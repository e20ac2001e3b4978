// marquee-trainer: everything that needs LibTorch. `marquee` starts it; it runs alone just as well.
#include <iostream>
#include <string>
#include <string_view>

#include <malloc.h>

#include "cluster/error.h"
#include "cluster/suggest.h"
#include "cluster/text.h"
#include "workers/commands/commands.h"

namespace {

struct Command {
  const char* name;
  int (*run)(const marquee::cluster::Arguments&);
};

constexpr Command kCommands[] = {{"serve", marquee::workers::serve_command},
                                 {"check-gang", marquee::workers::check_gang_command},
                                 {"run", marquee::workers::run_command},
                                 {"probe", marquee::workers::probe_command},
                                 {"cache", marquee::workers::cache_command},
                                 {"sample", marquee::workers::sample_command},
                                 {"pretrain", marquee::workers::pretrain_command},
                                 {"import", marquee::workers::import_command},
                                 {"export", marquee::workers::export_command},
                                 {"evaluate", marquee::workers::evaluate_command}};

// What every command says of itself, for `marquee completion` and `marquee man`.
int describe() {
  marquee::cluster::CommandFacts all;
  all.name = "marquee-trainer";
  for (const Command& command : kCommands) {
    all.parts.push_back(marquee::cluster::facts_of(command.run));
    all.parts.back().name = command.name;
  }
  std::cout << marquee::cluster::to_json(all) << "\n";
  return 0;
}

void print_help() {
  std::cout << "Usage: marquee-trainer COMMAND [options]\n\n"
               "The part of marquee that computes. marquee starts it; it runs alone just as well.\n"
               "Its commands, as they are called:\n\n";
  for (const Command& command : kCommands)
    std::cout << "  " << command.name
              << std::string(12 - std::string_view(command.name).size(), ' ')
              << marquee::cluster::facts_of(command.run).usage << "\n";
  std::cout << "\nmarquee-trainer COMMAND --help explains each.\n";
}

int dispatch(const marquee::cluster::Arguments& arguments) {
  const std::string name = arguments.empty() ? "" : arguments[0];
  if (name.empty() || name == "--help" || name == "-h" || name == "help") {
    print_help();
    return 0;
  }
  if (name == "--version") return marquee::workers::version_command({});
  if (name == "--describe") return describe();
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run({arguments.begin() + 1, arguments.end()});
    names.emplace_back(command.name);
  }
  marquee::cluster::throw_usage("unknown command '" + name + "'" +
                                marquee::cluster::did_you_mean(name, names) + "; expected one of " +
                                marquee::cluster::join(names));
}

// Activations of a few megabytes come and go at every step. glibc would map and unmap each anew,
// and the kernel clear their pages: a third of the time of pretraining on two cores.
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc takes
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  try {
    return dispatch({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "marquee: error: " << marquee::cluster::printable(error.what(), true) << std::endl;
    return marquee::cluster::exit_code_of(error);
  }
}
