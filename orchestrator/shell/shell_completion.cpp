#include "orchestrator/shell/shell_completion.h"

#include "cluster/error.h"

namespace marquee::orchestrator {

const std::vector<std::string>& completed_shells() {
  static const std::vector<std::string> shells{"bash", "zsh", "fish"};
  return shells;
}

std::string completion_file(const std::string& shell) {
  if (shell == "bash") return "share/bash-completion/completions/marquee";
  if (shell == "zsh") return "share/zsh/site-functions/_marquee";
  MARQUEE_CHECK(shell == "fish", "no completion for " + shell);
  return "share/fish/vendor_completions.d/marquee.fish";
}

std::string completion_of(const std::string& shell, const cluster::CommandFacts& commands) {
  if (shell == "bash") return bash_completion(commands);
  if (shell == "zsh") return zsh_completion(commands);
  MARQUEE_CHECK(shell == "fish", "no completion for " + shell);
  return fish_completion(commands);
}

}  // namespace marquee::orchestrator
