// marquee data verify: reads everything and names what is broken.
#include <iostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/text.h"
#include "datasets/verification.h"
#include "orchestrator/commands/data_parts.h"
#include "orchestrator/human.h"

namespace marquee::orchestrator {

namespace po = boost::program_options;
using nlohmann::json;

namespace {

std::string text_of(const datasets::TaskInfo& task, const datasets::Verification& found) {
  std::string text = fmt::format("{}: {} examples: ", task.name, found.examples);
  text += found.broken.empty() ? "whole" : fmt::format("{} broken", found.broken.size());
  text += " (" + human_bytes(static_cast<std::int64_t>(found.bytes));
  if (found.unlabelled > 0) text += fmt::format(", {} without a class", found.unlabelled);
  text += ")\n";
  for (const datasets::Broken& each : found.broken)
    text += "  " + cluster::printable(datasets::to_text(each)) + "\n";
  return text;
}

}  // namespace

int data_verify(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee data verify [--data DIR] [--task NAME]... [--threads N] [--json]";
  line.text =
      "Reads everything: lengths, checksums, examples, labels, pixels. Every broken record is "
      "named\n"
      "with file, record, offset and reason; exit code 3 when there is one.";
  add_data_options(line);
  add_task_option(line);
  line.options.add_options()("threads", po::value<int>()->default_value(0),
                             "decoders side by side; 0: one a core");
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const datasets::DataFolder data = data_folder_of(values);
  const int named = values["threads"].as<int>();
  constexpr int kMostThreads = 256;
  if (named < 0 || named > kMostThreads)
    cluster::throw_usage("--threads " + std::to_string(named) + ": expected 0 to 256");
  const int threads = named > 0 ? named : static_cast<int>(cluster::available_cpus().size());
  const bool as_json = values.count("json") > 0;
  json all = json::array();
  bool broken = false;
  for (const datasets::TaskInfo* task : chosen_tasks(values, data)) {
    const datasets::Verification found = [&] {
      DataProgressLine progress(task->name, "examples", values.count("quiet") > 0);
      return datasets::verify_task(*task, data, threads, progress.report());
    }();
    broken = broken || !found.broken.empty();
    if (as_json) {
      json list = json::array();
      for (const datasets::Broken& each : found.broken) list.push_back(datasets::to_json(each));
      all.push_back({{"task", task->name},
                     {"examples", found.examples},
                     {"bytes", found.bytes},
                     {"unlabelled", found.unlabelled},
                     {"whole", found.broken.empty()},
                     {"broken", std::move(list)}});
    } else {
      std::cout << text_of(*task, found) << std::flush;
    }
  }
  if (as_json) std::cout << all.dump(1) << "\n";
  return broken ? static_cast<int>(cluster::ErrorKind::environment) : 0;
}

}  // namespace marquee::orchestrator
