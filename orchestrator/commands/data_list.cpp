// marquee data list: the table of tasks.
#include <iostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/commands/data_parts.h"

namespace marquee::orchestrator {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

std::string slices_text(const std::vector<datasets::Slice>& slices) {
  std::string text;
  for (const datasets::Slice& slice : slices) {
    if (!text.empty()) text += "+";
    int before = 0;
    for (const int part : slice.before) before += part;
    text += slice.split;
    const bool whole = before == 0 && slice.share < 0;
    if (!whole)
      text += fmt::format("[{}:{}]", before > 0 ? std::to_string(before) + "%" : "",
                          slice.share >= 0 ? std::to_string(before + slice.share) + "%" : "");
  }
  return text;
}

std::string builder_of(const datasets::TaskInfo& task) {
  return task.builder.empty() ? "drawn by code" : task.builder + ":" + task.version;
}

json to_json(const datasets::TaskInfo& task) {
  const auto or_null = [](const std::string& text) { return text.empty() ? json() : json(text); };
  return {{"task", task.name},
          {"group", datasets::to_string(task.group)},
          {"builder", or_null(task.builder)},
          {"version", or_null(task.version)},
          {"same_content", task.same_content},
          {"vtab1k_folder", or_null(task.vtab1k_folder)},
          {"num_classes", task.num_classes},
          {"mirrors_keep_label", task.mirrors_keep_label},
          {"label", datasets::rule_text(task)},
          {"train", slices_text(task.train)},
          {"val", slices_text(task.val)},
          {"test", slices_text(task.test)}};
}

}  // namespace

int data_list(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee data list [--json]";
  line.text =
      "Every task: its group, TFDS builder and version, splits, classes, label and mirroring.";
  line.options.add_options()("json", "for scripts: one JSON object");
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  if (values.count("json") > 0) {
    json all = json::array();
    for (const datasets::TaskInfo& task : datasets::all_tasks()) all.push_back(to_json(task));
    std::cout << all.dump(1) << "\n";
    return 0;
  }
  // Two tables, since one would be wider than a terminal.
  std::cout << fmt::format("{:<30} {:<11} {:>7} {:>6}  {}\n", "task", "group", "classes", "mirror",
                           "TFDS builder and version");
  for (const datasets::TaskInfo& task : datasets::all_tasks()) {
    std::cout << fmt::format("{:<30} {:<11} {:>7} {:>6}  {}\n", task.name, to_string(task.group),
                             task.num_classes, task.mirrors_keep_label ? "yes" : "no",
                             builder_of(task));
  }
  std::cout << fmt::format("\n{:<30} {:<11} {:<15} {:<11} {}\n", "task", "train", "val", "test",
                           "label");
  for (const datasets::TaskInfo& task : datasets::all_tasks()) {
    if (task.group == datasets::TaskGroup::drawn) continue;
    std::cout << fmt::format("{:<30} {:<11} {:<15} {:<11} {}\n", task.name, slices_text(task.train),
                             slices_text(task.val), slices_text(task.test),
                             datasets::rule_text(task));
  }
  std::cout << "\ntrainval: both; train800, val200: the first of each; train800val200: both.\n"
               "mirror: whether a mirrored image keeps its label.\n";
  return 0;
}

}  // namespace marquee::orchestrator
