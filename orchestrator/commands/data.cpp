// marquee data: what the tasks are, what a folder holds of them, whether it is whole, and other
// forms of it.
#include <iostream>

#include <fmt/format.h>

#include "cluster/error.h"
#include "cluster/suggest.h"
#include "orchestrator/commands/data_parts.h"

namespace marquee::orchestrator {

int data_command(const Arguments& arguments) {
  struct Part {
    const char* name;
    const char* summary;
    int (*run)(const Arguments&);
  };
  constexpr Part kParts[] = {
      {"list", "the tasks", data_list},
      {"inspect", "what a folder holds of them", data_inspect},
      {"verify", "read everything, name what is broken", data_verify},
      {"export", "write a VTAB-1k folder or an image folder", data_export},
      {"cache", "tokenise training images ahead of runs", data_cache_command}};
  std::vector<std::string> names;
  for (const Part& part : kParts) names.emplace_back(part.name);
  const std::string word = arguments.empty() ? "--help" : arguments[0];
  if (word == "--help" || word == "-h") {
    std::cout << "Usage: marquee data PART [options]\n\n";
    for (const Part& part : kParts)
      std::cout << fmt::format("  {:<8} {}\n", part.name, part.summary);
    std::cout << "\nmarquee data PART --help says more.\n";
    return 0;
  }
  for (const Part& part : kParts)
    if (word == part.name) return part.run({arguments.begin() + 1, arguments.end()});
  cluster::throw_usage("unknown part '" + word + "' of marquee data" +
                       cluster::did_you_mean(word, names) + "; expected one of " +
                       cluster::join(names));
}

}  // namespace marquee::orchestrator
