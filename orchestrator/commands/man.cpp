// marquee man: the pages of the manual.
#include <iostream>

#include "cluster/build_info.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/suggest.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/shell/described_commands.h"
#include "orchestrator/shell/man_page.h"

namespace marquee::orchestrator {

namespace po = boost::program_options;

int man_command(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee man [COMMAND [PART]] | --out DIR";
  line.text =
      "Prints a page of the manual: of marquee itself, or of a command. An installation has all\n"
      "pages where man finds them.\n\n"
      "  marquee man sweep | man -l -\n"
      "  marquee man --out ~/.local/share/man/man1 && man marquee-data-list";
  line.options.add_options()("out,o", po::value<std::string>()->value_name("DIR"),
                             "write all pages into this folder, made when missing");
  std::vector<std::string> names;
  for (const Command& command : all_commands()) names.push_back(command.name);
  line.hidden.add_options()("command", cluster::such_as(names), "COMMAND")(
      "part", po::value<std::string>(), "PART");
  line.positional.add("command", 1).add("part", 1);
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  if (values.count("command") > 0 && values.count("out") > 0)
    cluster::throw_usage("--out writes all pages; name a command or --out\nusage: " + line.usage);
  const auto pages = man_pages(describe_commands(), std::string(cluster::build_version()));
  if (values.count("out") > 0) {
    const std::filesystem::path folder = values["out"].as<std::string>();
    std::filesystem::create_directories(folder);
    for (const auto& [name, text] : pages) {
      cluster::write_file_durably(folder / (name + ".1"), text);
      std::cout << (folder / (name + ".1")).string() << "\n";
    }
    return 0;
  }
  std::string wanted = "marquee";
  for (const char* word : {"command", "part"})
    if (values.count(word) > 0) wanted += "-" + values[word].as<std::string>();
  const auto found = pages.find(wanted);
  if (found == pages.end()) {
    std::vector<std::string> known;
    for (const auto& [name, text] : pages) known.push_back(name);
    cluster::throw_usage("no page '" + wanted + "'" + cluster::did_you_mean(wanted, known) +
                         "; there are " + cluster::join(known));
  }
  std::cout << found->second << std::flush;
  return 0;
}

}  // namespace marquee::orchestrator
