// marquee ablations: one factor at a time from one default, from a results folder.
#include <iostream>

#include "analysis/report/ablation_page.h"
#include "orchestrator/commands/commands.h"

namespace marquee::orchestrator {

namespace po = boost::program_options;

int ablations_command(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee ablations --out DIR [--sweep NAME] [--to FOLDER]";
  line.text =
      "Compares variants that differ from one default in a single factor (kind of generator, "
      "number\n"
      "of prompts, conditions, marquee header, method, base, or any other key), and writes\n"
      "FOLDER/README.md with a table for each factor, task and shots, charts and sample grids.\n"
      "The default is the variant that most others differ from in one factor.";
  line.options.add_options()                                                                //
      ("out,o", po::value<std::string>()->value_name("DIR")->required(), "results folder")  //
      ("sweep", po::value<std::string>()->default_value(""), "of this sweep alone")         //
      ("to", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder to write (default: DIR/ablations)");
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const std::filesystem::path out = values["out"].as<std::string>();
  published_results(out);
  std::filesystem::path folder = values["to"].as<std::string>();
  if (folder.empty()) folder = out / "ablations";
  for (const auto& written :
       analysis::write_ablations(out, values["sweep"].as<std::string>(), folder))
    std::cout << written.string() << "\n";
  return 0;
}

}  // namespace marquee::orchestrator
