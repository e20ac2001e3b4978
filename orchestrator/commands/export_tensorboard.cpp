#include <iostream>

#include "analysis/report/event_file.h"
#include "cluster/durable_file.h"
#include "orchestrator/commands/export_parts.h"
#include "orchestrator/commands/export_runs.h"

namespace marquee::orchestrator {

int export_tensorboard(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee export tensorboard [FILTER...] --out DIR --to DIR";
  line.text =
      "Writes an event file for each finished run: the loss of every step, the metrics, the\n"
      "grid of generated images, the configuration. FILTER as for marquee query. Exported again,\n"
      "a run's file is replaced by the same bytes.\n\n"
      "  marquee export tensorboard method=prompt --out results --to logs\n"
      "  tensorboard --logdir logs\n\n"
      "Exit codes: 0; 1 where a damaged curve or picture was left out.";
  add_export_options(line);
  const boost::program_options::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const ExportChoice choice = chosen_for_export(values);
  std::vector<std::string> left_out;
  for (const analysis::ExportedRun& run : choice.runs) {
    const std::filesystem::path file = choice.to / analysis::event_file_place(run);
    cluster::create_directories_durably(file.parent_path());
    cluster::write_file_durably(file, analysis::event_file(run, left_out));
  }
  std::cout << choice.runs.size() << " runs; tensorboard --logdir " << choice.to.string() << "\n";
  return end_of_export(left_out);
}

}  // namespace marquee::orchestrator
