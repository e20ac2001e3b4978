// marquee data: what the tasks are, what a folder holds of them, whether it is whole, and other
// forms of it.
#include "orchestrator/commands/data_parts.h"

namespace marquee::orchestrator {

const std::vector<Command>& data_commands() {
  static const std::vector<Command> parts = {
      {"list", "the tasks", data_list},
      {"inspect", "what a folder holds of them", data_inspect},
      {"verify", "read everything, name what is broken", data_verify},
      {"export", "write a VTAB-1k folder or an image folder", data_export},
      {"cache", "tokenise training images ahead of runs", nullptr, nullptr, "cache"}};
  return parts;
}

}  // namespace marquee::orchestrator
