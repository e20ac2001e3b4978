// marquee run, sample, evaluate, export, pretrain, import and data cache: handed over to
// marquee-trainer, the program with LibTorch. Its options are declared there, so `marquee run
// --help` is answered by it too.
#include <cerrno>

#include <unistd.h>

#include "cluster/error.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/trainer_process.h"

namespace marquee::orchestrator {
namespace {

int hand_over(const std::string& name, const Arguments& arguments) {
  const std::string program = find_trainer().string();
  std::vector<char*> argv = {const_cast<char*>(program.c_str()), const_cast<char*>(name.c_str())};
  for (const std::string& word : arguments) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  cluster::throw_environment("cannot start " + program + ": " + cluster::errno_text(errno));
}

}  // namespace

int run_command(const Arguments& arguments) {
  return hand_over("run", arguments);
}
int sample_command(const Arguments& arguments) {
  return hand_over("sample", arguments);
}
int data_cache_command(const Arguments& arguments) {
  return hand_over("cache", arguments);
}
int pretrain_command(const Arguments& arguments) {
  return hand_over("pretrain", arguments);
}
int import_command(const Arguments& arguments) {
  return hand_over("import", arguments);
}
int evaluate_command(const Arguments& arguments) {
  return hand_over("evaluate", arguments);
}
int export_command(const Arguments& arguments) {
  return hand_over("export", arguments);
}

}  // namespace marquee::orchestrator
