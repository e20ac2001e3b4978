// marquee completion: scripts for shells.
#include <iostream>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/shell/described_commands.h"
#include "orchestrator/shell/shell_completion.h"

namespace marquee::orchestrator {

namespace po = boost::program_options;

int completion_command(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee completion (bash | zsh | fish) | --install DIR";
  line.text =
      "Prints a script with which the shell completes commands, options, words that an option\n"
      "knows, files and folders. An installation has the scripts where shells find them; without\n"
      "one, in the start file of the shell:\n\n"
      "  source <(marquee completion bash)\n"
      "  source <(marquee completion zsh)\n"
      "  marquee completion fish | source";
  line.options.add_options()(
      "install", po::value<std::string>()->value_name("DIR"),
      "write the scripts of all three below DIR instead, such as /usr/local");
  line.hidden.add_options()("shell", cluster::one_of(completed_shells()), "shell");
  line.positional.add("shell", 1);
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  if ((values.count("shell") > 0) == (values.count("install") > 0))
    cluster::throw_usage("name a shell, or --install DIR\nusage: " + line.usage);
  const cluster::CommandFacts commands = describe_commands();
  if (values.count("shell") > 0) {
    std::cout << completion_of(values["shell"].as<std::string>(), commands) << std::flush;
    return 0;
  }
  for (const std::string& shell : completed_shells()) {
    const std::filesystem::path file =
        std::filesystem::path(values["install"].as<std::string>()) / completion_file(shell);
    std::filesystem::create_directories(file.parent_path());
    cluster::write_file_durably(file, completion_of(shell, commands));
    std::cout << file.string() << "\n";
  }
  return 0;
}

}  // namespace marquee::orchestrator
