// Commands that need LibTorch are handed over to marquee-trainer. Their options are declared there,
// so `marquee run --help` is answered by it too.
#include <cerrno>

#include <unistd.h>

#include "cluster/error.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/sweep/trainer_process.h"

namespace marquee::orchestrator {

int hand_over(const std::string& command, const Arguments& arguments) {
  const std::string program = find_trainer().string();
  std::vector<char*> argv = {const_cast<char*>(program.c_str()),
                             const_cast<char*>(command.c_str())};
  for (const std::string& word : arguments) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  cluster::throw_environment("cannot start " + program + ": " + cluster::errno_text(errno));
}

}  // namespace marquee::orchestrator
