#include "orchestrator/shell/described_commands.h"

#include <filesystem>
#include <iostream>
#include <map>
#include <optional>

#include "cluster/command_line.h"
#include "cluster/error.h"
#include "cluster/program_output.h"
#include "cluster/text.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/sweep/trainer_process.h"

namespace marquee::orchestrator {
namespace {

using cluster::CommandFacts;

constexpr double kPatienceSeconds = 60;  // LibTorch from a slow disk

std::optional<std::filesystem::path> trainer_if_there() {
  try {
    return find_trainer();
  } catch (const cluster::Error&) {
    return std::nullopt;
  }
}

std::map<std::string, CommandFacts> commands_of_trainer() {
  std::map<std::string, CommandFacts> commands;
  const auto program = trainer_if_there();
  if (!program) return commands;
  try {
    const cluster::ProgramOutput answer =
        cluster::run_program({program->string(), "--describe"}, kPatienceSeconds);
    if (answer.took_too_long || answer.status.exit_code != 0) {
      cluster::throw_environment(program->string() + " --describe failed: " +
                                 cluster::printable(answer.err.substr(0, 500), true));
    }
    for (CommandFacts& command : cluster::command_facts_from(answer.out, program->string()).parts)
      commands[command.name] = std::move(command);
  } catch (const cluster::Error& error) {
    std::cerr << "marquee: warning: " << error.what() << std::endl;
  }
  return commands;
}

CommandFacts describe(const Command& command, const std::map<std::string, CommandFacts>& trainer) {
  CommandFacts facts;
  if (command.run != nullptr) facts = cluster::facts_of(command.run);
  if (const auto found = trainer.find(command.handed_to); found != trainer.end())
    facts = found->second;
  facts.name = command.name;
  facts.summary = command.summary;
  if (command.parts != nullptr) {
    facts.usage = "marquee " + command.name + " PART [options]";
    for (const Command& part : command.parts()) facts.parts.push_back(describe(part, trainer));
  }
  return facts;
}

}  // namespace

CommandFacts describe_commands() {
  const auto trainer = commands_of_trainer();
  CommandFacts all;
  all.name = "marquee";
  all.summary = "the generative-transfer benchmark";
  all.usage = "marquee COMMAND [options]";
  all.text =
      "Adapts a pretrained generative vision transformer to tasks by prompt tuning and the "
      "methods\n"
      "it is compared with, and measures what comes out.";
  all.options = {{.name = "help", .short_name = "h", .text = "show this help and exit"},
                 {.name = "version", .text = "what this program and its trainer were built from"}};
  for (const Command& command : all_commands()) all.parts.push_back(describe(command, trainer));
  return all;
}

}  // namespace marquee::orchestrator
