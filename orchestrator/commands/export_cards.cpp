#include <iostream>

#include "analysis/report/run_card.h"
#include "analysis/report/samples.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "orchestrator/commands/export_parts.h"
#include "orchestrator/commands/export_runs.h"

namespace marquee::orchestrator {
namespace {

constexpr const char* kPicture = "samples.png";

// A folder of its own for each run: README.md and the grid.
void write_card(const analysis::ExportedRun& run, const std::filesystem::path& folder,
                std::vector<std::string>& left_out) {
  cluster::create_directories_durably(folder);
  std::string picture;
  try {
    if (const auto samples = analysis::read_samples(run.folder)) {
      cluster::write_file_durably(folder / kPicture, *samples);
      picture = kPicture;
    }
  } catch (const cluster::Error& error) {
    left_out.emplace_back(error.what());
  }
  cluster::write_file_durably(folder / "README.md", analysis::run_card(run, picture));
}

}  // namespace

int export_cards(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee export cards [FILTER...] --out DIR --to DIR";
  line.text =
      "Writes a folder for each finished run that has trained something: README.md (what it is,\n"
      "its numbers and what they compare with, every setting, versions) and samples.png. No\n"
      "host, user or folder stands in it. FILTER as for marquee query; export prompt writes the\n"
      "trained tensors.\n\n"
      "  marquee export cards task=eurosat --out results --to cards\n\n"
      "Exit codes: 0; 1 where a picture could not be read.";
  add_export_options(line);
  const boost::program_options::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const ExportChoice choice = chosen_for_export(values);
  std::vector<std::string> left_out;
  std::size_t written = 0;
  for (const analysis::ExportedRun& run : choice.runs) {
    if (!experiments::trains(run.config)) continue;
    write_card(
        run,
        choice.to / (analysis::file_name_of(run.config.task) + "-" +
                     analysis::file_name_of(run.config.shots) + "-" + analysis::short_name(run)),
        left_out);
    ++written;
  }
  std::cout << written << " cards in " << choice.to.string() << "; " << choice.runs.size() - written
            << " runs trained nothing\n";
  return end_of_export(left_out);
}

}  // namespace marquee::orchestrator
