// What the parts of `marquee data` share: options, the tasks they are about, progress.
#pragma once

#include <string>
#include <vector>

#include "datasets/data_folder.h"
#include "datasets/inspection.h"
#include "datasets/task.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/sweep/progress_line.h"

namespace marquee::orchestrator {

int data_list(const Arguments& arguments);
int data_inspect(const Arguments& arguments);
int data_verify(const Arguments& arguments);
int data_export(const Arguments& arguments);

// --data, --cache, --json and --quiet.
void add_data_options(CommandLine& line);
// --task, which may be repeated.
void add_task_option(CommandLine& line);
datasets::DataFolder data_folder_of(const boost::program_options::variables_map& values);
// The tasks named with --task, or all of the 19 that the folder holds.
std::vector<const datasets::TaskInfo*> chosen_tasks(
    const boost::program_options::variables_map& values, const datasets::DataFolder& data);

// Progress of one task on standard error: "eurosat: images 1200/27000".
class DataProgressLine {
 public:
  DataProgressLine(std::string task, std::string what, bool quiet)
      : task_(std::move(task)), what_(std::move(what)), line_(quiet) {}
  ~DataProgressLine() { line_.end(); }
  DataProgressLine(const DataProgressLine&) = delete;
  DataProgressLine& operator=(const DataProgressLine&) = delete;

  // Valid as long as this.
  datasets::DataProgress report();

 private:
  std::string task_, what_;
  ProgressLine line_;
  double last_ = -1e9;
};

}  // namespace marquee::orchestrator
