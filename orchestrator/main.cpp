// marquee: parses the subcommand, runs it, maps errors to exit codes.
#include <exception>
#include <iostream>

#include "cluster/error.h"
#include "cluster/text.h"
#include "orchestrator/commands/commands.h"

int main(int argc, char** argv) {
  try {
    return marquee::orchestrator::dispatch({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "marquee: error: " << marquee::cluster::printable(error.what(), true) << std::endl;
    return marquee::cluster::exit_code_of(error);
  }
}
