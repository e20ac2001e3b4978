// marquee export: results and what was trained, for other programs.
#include "orchestrator/commands/export_parts.h"

namespace marquee::orchestrator {

const std::vector<Command>& export_commands() {
  static const std::vector<Command> parts = {
      {"csv", "every table and view of the results, and the loss curves", export_csv},
      {"tensorboard", "event files that TensorBoard shows", export_tensorboard},
      {"datasette", "what Datasette shows beside the tables", export_datasette},
      {"cards", "a Markdown card with images for each run that trained something", export_cards},
      {"prompt", "what a run has trained, as a safetensors file", nullptr, nullptr, "export"}};
  return parts;
}

}  // namespace marquee::orchestrator
