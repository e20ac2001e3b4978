// Scripts that complete the commands of marquee in a shell, written from what the commands say of
// themselves. A script holds all it knows: it starts no program, reads no results folder, and
// leaves paths to the shell's own completion, which quotes them. Pure; thread safe.
#pragma once

#include <string>
#include <vector>

#include "cluster/command_facts.h"

namespace marquee::orchestrator {

const std::vector<std::string>& completed_shells();  // bash, zsh, fish

// `commands`: of the whole program, names and words of which are plain
// (cluster::command_facts_from).
std::string bash_completion(const cluster::CommandFacts& commands);
std::string zsh_completion(const cluster::CommandFacts& commands);
std::string fish_completion(const cluster::CommandFacts& commands);
// The file that a shell looks for: "share/bash-completion/completions/marquee".
std::string completion_file(const std::string& shell);
std::string completion_of(const std::string& shell, const cluster::CommandFacts& commands);

}  // namespace marquee::orchestrator
