// marquee data: what the tasks are, what a folder holds of them, whether it is whole, and other
// forms of it.
#include <algorithm>
#include <iostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/suggest.h"
#include "datasets/drawn.h"
#include "datasets/export.h"
#include "datasets/inspection.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/human.h"
#include "orchestrator/progress_line.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using nlohmann::json;

// Progress of one task on standard error.
class TaskProgress {
 public:
  TaskProgress(std::string what, bool quiet) : what_(std::move(what)), line_(quiet) {}
  ~TaskProgress() { line_.end(); }
  datasets::DataProgress report() {
    return [this](std::size_t done, std::size_t total) {
      constexpr double kBetween = 0.2;
      const double now = cluster::monotonic_seconds();
      if (now - last_ < kBetween) return;
      last_ = now;
      line_.show(fmt::format("{} {}/{}", what_, done, total), now);
    };
  }

 private:
  std::string what_;
  ProgressLine line_;
  double last_ = 0;
};

void add_common(CommandLine& line, bool needs_data) {
  auto add = line.options.add_options();
  if (needs_data) {
    add("data", po::value<std::string>()->default_value(""),
        "TFDS folder, or a folder of VTAB-1k folders");
    add("cache", po::value<std::string>()->default_value(""),
        "folder for indexes, so that the next command need not read every shard");
  }
  add("json", "for scripts: one JSON object");
  add("quiet,q", "no progress lines");
}

datasets::DataFolder folder_of(const po::variables_map& values) {
  return {values["data"].as<std::string>(), values["cache"].as<std::string>()};
}

// The tasks named with --task, or all of the 19 that the folder holds.
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

void add_task_option(CommandLine& line) {
  line.options.add_options()("task,t", po::value<std::vector<std::string>>()->composing(),
                             "a task (may be repeated; default: all that the folder holds)");
}

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

int list_tasks(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee data list [--json]";
  line.text = "Every task: its group, TFDS builder and version, splits, classes, label and flips.";
  add_common(line, false);
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;
  json all = json::array();
  std::cout << (values.count("json") > 0
                    ? ""
                    : fmt::format("{:<31} {:<12} {:<43} {:>3}  {:<20} {:<18} {:<16} {}\n", "task",
                                  "group", "TFDS builder", "C", "train", "val", "test", "label"));
  for (const datasets::TaskInfo& task : datasets::all_tasks()) {
    const bool drawn = task.group == datasets::TaskGroup::drawn;
    const std::string builder = drawn ? "" : task.builder + ":" + task.version;
    const std::string rule = datasets::rule_text(task);
    if (values.count("json") > 0) {
      all.push_back({{"task", task.name},
                     {"group", datasets::to_string(task.group)},
                     {"builder", drawn ? json() : json(task.builder)},
                     {"version", drawn ? json() : json(task.version)},
                     {"same_content", task.same_content},
                     {"vtab1k_folder", drawn ? json() : json(task.vtab1k_folder)},
                     {"num_classes", task.num_classes},
                     {"flip", task.flip},
                     {"label", rule},
                     {"train", slices_text(task.train)},
                     {"val", slices_text(task.val)},
                     {"test", slices_text(task.test)}});
    } else {
      std::cout << fmt::format("{:<31} {:<12} {:<43} {:>3}  {:<20} {:<18} {:<16} {}\n", task.name,
                               datasets::to_string(task.group), drawn ? "drawn by code" : builder,
                               task.num_classes, slices_text(task.train), slices_text(task.val),
                               slices_text(task.test), rule);
    }
  }
  if (values.count("json") > 0) std::cout << all.dump(1) << "\n";
  return 0;
}

int inspect(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee data inspect [--data DIR] [--task NAME]... [--json]";
  line.text =
      "What a folder holds of each task: version, examples, labels, keys and image sizes of every\n"
      "split. Labels are read from all examples, sizes from up to 2,000 of a split.";
  add_common(line, true);
  add_task_option(line);
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;
  const datasets::DataFolder data = folder_of(values);
  const auto tasks = chosen_tasks(values, data);
  const bool as_json = values.count("json") > 0;
  json all = json::array();
  for (const datasets::TaskInfo* task : tasks) {
    TaskProgress progress(task->name + ": images", values.count("quiet") > 0);
    const datasets::TaskContents contents = datasets::inspect_task(*task, data, progress.report());
    if (as_json) {
      all.push_back(datasets::to_json(contents));
    } else {
      std::cout << datasets::to_text(contents) << std::endl;
    }
  }
  // One task is one object, as it was asked for.
  if (as_json) std::cout << (tasks.size() == 1 ? all[0] : all).dump(1) << "\n";
  return 0;
}

int verify(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee data verify [--data DIR] [--task NAME]... [--threads N] [--json]";
  line.text =
      "Reads everything: lengths, checksums, examples, labels, pixels. Every broken record is "
      "named\n"
      "with file, record, offset and reason. Exit code 3 when there is one.";
  add_common(line, true);
  add_task_option(line);
  line.options.add_options()("threads", po::value<int>()->default_value(0),
                             "decoders side by side; 0: one a core");
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;
  const datasets::DataFolder data = folder_of(values);
  const int named = values["threads"].as<int>();
  constexpr int kMostThreads = 256;
  if (named < 0 || named > kMostThreads)
    cluster::throw_usage("--threads " + std::to_string(named) + ": expected 0 to 256");
  const int threads = named > 0 ? named : static_cast<int>(cluster::available_cpus().size());
  json all = json::array();
  bool broken = false;
  for (const datasets::TaskInfo* task : chosen_tasks(values, data)) {
    TaskProgress progress(task->name + ":", values.count("quiet") > 0);
    const datasets::Verification found =
        datasets::verify_task(*task, data, threads, progress.report());
    broken = broken || !found.broken.empty();
    if (values.count("json") > 0) {
      all.push_back({{"task", task->name},
                     {"examples", found.examples},
                     {"bytes", found.bytes},
                     {"unlabelled", found.unlabelled},
                     {"broken", found.broken}});
      continue;
    }
    std::cout << fmt::format("{}: {} examples, {}", task->name, found.examples,
                             human_bytes(static_cast<std::int64_t>(found.bytes)));
    if (found.unlabelled > 0) std::cout << fmt::format(", {} without a class", found.unlabelled);
    std::cout << (found.broken.empty() ? std::string(": whole")
                                       : fmt::format(": {} broken", found.broken.size()))
              << std::endl;
    for (const std::string& reason : found.broken) std::cout << "  " << reason << "\n";
  }
  if (values.count("json") > 0) std::cout << all.dump(1) << "\n";
  return broken ? static_cast<int>(cluster::ErrorKind::environment) : 0;
}

std::string one_of(const po::variables_map& values, const char* option,
                   const std::vector<std::string>& words) {
  const std::string word = values[option].as<std::string>();
  if (std::find(words.begin(), words.end(), word) == words.end()) {
    cluster::throw_usage("--" + std::string(option) + " '" + word + "': expected " +
                         cluster::join(words, " or ") + cluster::did_you_mean(word, words));
  }
  return word;
}

int export_data(const Arguments& arguments) {
  CommandLine line;
  line.usage = "marquee data export --task NAME --to DIR [--data DIR] [--form vtab1k|folder] [options]";
  line.text =
      "Writes a task in another form. vtab1k: DIR/<folder> with train800, val200, train800val200 "
      "and\n"
      "test, images as JPEG of quality 75, numbered in TFDS's iteration order, like the folders "
      "that\n"
      "papers pass round. folder: DIR/<split>/<class>/<position>, the stored bytes.";
  add_common(line, true);
  line.options.add_options()                                                           //
      ("task,t", po::value<std::string>()->required(), "task")                         //
      ("to", po::value<std::string>()->required(), "folder to write into")             //
      ("form", po::value<std::string>()->default_value("vtab1k"), "vtab1k or folder")  //
      ("decode", po::value<std::string>()->default_value("tensorflow"),
       "with --form vtab1k: how JPEGs are decoded; tensorflow as for the folders in circulation, "
       "or accurate")  //
      ("split", po::value<std::vector<std::string>>()->composing(),
       "with --form folder: a split (may be repeated; default: train, val, test)");
  const po::variables_map values = parse(line, arguments);
  if (printed_help(line, values)) return 0;
  const datasets::TaskInfo& task = datasets::find_task(values["task"].as<std::string>());
  const datasets::DataFolder data = folder_of(values);
  const fs::path to = values["to"].as<std::string>();
  const std::string form = one_of(values, "form", {"vtab1k", "folder"});
  const bool accurate = one_of(values, "decode", {"tensorflow", "accurate"}) == "accurate";
  TaskProgress progress(task.name + ": image", values.count("quiet") > 0);
  std::size_t left_out = 0;
  fs::path written = to;
  if (form == "vtab1k") {
    if (values.count("split") > 0) cluster::throw_usage("--split goes with --form folder");
    left_out = datasets::export_vtab1k(
        task, data, to,
        accurate ? datasets::JpegDecoding::accurate : datasets::JpegDecoding::tensorflow,
        progress.report());
    written = to / task.vtab1k_folder;
  } else {
    std::vector<std::string> splits{"train", "val", "test"};
    if (values.count("split") > 0) splits = values["split"].as<std::vector<std::string>>();
    left_out = datasets::export_image_folder(task, splits, data, to, progress.report());
  }
  if (values.count("json") > 0) {
    std::cout << json{{"folder", written.string()}, {"left_out", left_out}}.dump() << "\n";
    return 0;
  }
  std::cout << "written to " << written.string();
  if (left_out > 0) std::cout << "; " << left_out << " examples without a class were left out";
  std::cout << std::endl;
  return 0;
}

}  // namespace

int data_command(const Arguments& arguments) {
  struct Part {
    const char* name;
    const char* summary;
    int (*run)(const Arguments&);
  };
  constexpr Part kParts[] = {{"list", "the tasks", list_tasks},
                             {"inspect", "what a folder holds of them", inspect},
                             {"verify", "read everything, name what is broken", verify},
                             {"export", "write a VTAB-1k folder or an image folder", export_data}};
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
