// marquee-trainer: everything that needs LibTorch. `marquee` starts it; it runs alone just as well.
#include <iostream>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "workers/commands/pretrain.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (arguments.empty()) marquee::cluster::throw_usage("name a command: pretrain");
    const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
    if (arguments[0] == "pretrain") return marquee::workers::pretrain_command(rest);
    marquee::cluster::throw_usage("unknown command '" + arguments[0] + "'");
  } catch (const std::exception& error) {
    std::cerr << "marquee-trainer: " << error.what() << "\n";
    return marquee::cluster::exit_code_of(error);
  }
}
