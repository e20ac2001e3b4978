#include "orchestrator/commands/data_parts.h"

#include <fmt/format.h>

#include "cluster/error.h"
#include "cluster/host.h"
#include "datasets/dataset.h"

namespace marquee::orchestrator {

namespace fs = std::filesystem;
namespace po = boost::program_options;

void add_data_options(CommandLine& line) {
  line.options.add_options()  //
      ("data", po::value<std::string>()->value_name("DIR")->default_value(""),
       "TFDS folder, or a folder of VTAB-1k folders")  //
      ("cache", po::value<std::string>()->value_name("DIR")->default_value(""),
       "folder for indexes, so that the next command need not read every shard")  //
      ("json", "for scripts: one JSON object")                                    //
      ("quiet,q", "no progress lines");
}

datasets::DataFolder data_folder_of(const po::variables_map& values) {
  return {values["data"].as<std::string>(), values["cache"].as<std::string>()};
}

void add_task_option(CommandLine& line) {
  line.options.add_options()(
      "task,t", cluster::such_as<std::vector<std::string>>(datasets::task_names())->composing(),
      "a task (may be repeated; default: all that the folder holds)");
}

std::vector<const datasets::TaskInfo*> chosen_tasks(const po::variables_map& values,
                                                    const datasets::DataFolder& data) {
  std::vector<const datasets::TaskInfo*> tasks;
  if (values.count("task") > 0) {
    for (const std::string& name : values["task"].as<std::vector<std::string>>())
      tasks.push_back(&datasets::find_task(name));
    return tasks;
  }
  if (!fs::is_directory(data.path)) {
    cluster::throw_environment("data folder '" + data.path.string() +
                               "' does not exist; name one with --data, or tasks with --task");
  }
  for (const datasets::TaskInfo& task : datasets::all_tasks())
    if (datasets::has_data(task, data.path)) tasks.push_back(&task);
  if (tasks.empty()) {
    cluster::throw_environment(data.path.string() +
                               ": holds none of the 19 tasks, neither as TFDS folders "
                               "(eurosat/rgb/2.0.0) nor as VTAB-1k folders (eurosat/test.txt)");
  }
  return tasks;
}

datasets::DataProgress DataProgressLine::report() {
  return [this](std::size_t done, std::size_t total) {
    // Looking at the clock is cheap; making the text is not.
    constexpr double kBetweenSeconds = 0.2;
    const double now = cluster::monotonic_seconds();
    if (now - last_ < kBetweenSeconds && done != total) return;
    last_ = now;
    const std::string text = total == 0 ? task_ + ": reading the records"
                                        : fmt::format("{}: {} {}/{}", task_, what_, done, total);
    line_.show(text, now, total > 0 && done == total);
  };
}

}  // namespace marquee::orchestrator
