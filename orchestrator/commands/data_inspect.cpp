// marquee data inspect: what a folder holds of each task.
#include <iostream>

#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "cluster/text.h"
#include "orchestrator/commands/data_parts.h"

namespace marquee::orchestrator {

namespace po = boost::program_options;
using nlohmann::json;

int data_inspect(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee data inspect [--data DIR] [--task NAME]... [--json]";
  line.text =
      "What a folder holds of each task: version, examples, labels, keys and image sizes of every\n"
      "split. With --json one object, or a list where no task or several are named.";
  add_data_options(line);
  add_task_option(line);
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const datasets::DataFolder data = data_folder_of(values);
  const auto tasks = chosen_tasks(values, data);
  const bool as_json = values.count("json") > 0;
  json all = json::array();
  bool all_read = true;
  for (const datasets::TaskInfo* task : tasks) {
    try {
      const datasets::TaskContents contents = [&] {
        DataProgressLine progress(task->name, "images", values.count("quiet") > 0);
        return datasets::inspect_task(*task, data, progress.report());
      }();
      if (as_json) {
        all.push_back(datasets::to_json(contents));
      } else {
        std::cout << datasets::to_text(contents) << std::endl;
      }
    } catch (const cluster::Error& error) {
      // Of many, the others are still of use.
      if (tasks.size() == 1) throw;
      all_read = false;
      if (as_json) all.push_back({{"task", task->name}, {"error", error.what()}});
      std::cerr << "marquee: error: " << cluster::printable(error.what()) << "\n";
    }
  }
  // One task that was asked for is one object.
  const bool one = tasks.size() == 1 && values.count("task") > 0;
  if (as_json) std::cout << (one ? all[0] : all).dump(1) << "\n";
  return all_read ? 0 : static_cast<int>(cluster::ErrorKind::environment);
}

}  // namespace marquee::orchestrator
