// marquee data export: a task's data in another form.
#include <iostream>

#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "datasets/export.h"
#include "orchestrator/commands/data_parts.h"

namespace marquee::orchestrator {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using nlohmann::json;

}  // namespace

int data_export(const Arguments& arguments) {
  CommandLine line;
  line.usage =
      "marquee data export --task NAME --to DIR [--data DIR] [--form vtab1k|folder] [options]";
  line.text =
      "Writes a task in another form; DIR must not hold it yet.\n"
      "vtab1k: DIR/<folder> with train800, val200, train800val200 and test, images as JPEG of\n"
      "quality 75 in TFDS's iteration order, like the folders that papers pass round.\n"
      "folder: DIR/<split>/<class>/<position>, the stored bytes.";
  add_data_options(line);
  line.options.add_options()                                                                   //
      ("task,t", cluster::such_as(datasets::task_names())->required(), "task")                 //
      ("to", po::value<std::string>()->value_name("DIR")->required(), "folder to write into")  //
      ("form", cluster::one_of({"vtab1k", "folder"})->default_value("vtab1k"), "of the copy")  //
      ("decode", cluster::one_of({"tensorflow", "accurate"})->default_value("tensorflow"),
       "with --form vtab1k: how JPEGs are decoded; tensorflow as for the folders in circulation")  //
      ("split", po::value<std::vector<std::string>>()->composing(),
       "with --form folder: a split (may be repeated; default: train, val, test)");
  const po::variables_map values = parse(line, arguments);
  if (answered(line, values)) return 0;
  const datasets::TaskInfo& task = datasets::find_task(values["task"].as<std::string>());
  datasets::DataFolder data = data_folder_of(values);
  data.fast_dct = values["decode"].as<std::string>() == "tensorflow";
  const fs::path to = values["to"].as<std::string>();
  const std::string form = values["form"].as<std::string>();
  std::vector<std::string> splits{"train", "val", "test"};
  if (values.count("split") > 0) {
    if (form == "vtab1k") cluster::throw_usage("--split goes with --form folder");
    splits = values["split"].as<std::vector<std::string>>();
  }
  if (form == "folder" && !values["decode"].defaulted())
    cluster::throw_usage("--decode goes with --form vtab1k: a folder gets the stored bytes");
  const fs::path written = form == "vtab1k" ? to / task.vtab1k_folder : to;
  const std::size_t left_out = [&] {
    DataProgressLine progress(task.name, "images", values.count("quiet") > 0);
    if (form == "folder")
      return datasets::export_image_folder(task, splits, data, to, progress.report());
    return datasets::export_vtab1k(task, data, to, progress.report());
  }();
  if (values.count("json") > 0) {
    std::cout << json{{"folder", written.string()}, {"left_out", left_out}}.dump() << "\n";
    return 0;
  }
  std::cout << "written to " << written.string();
  if (left_out > 0) std::cout << "; " << left_out << " examples without a class were left out";
  std::cout << std::endl;
  return 0;
}

}  // namespace marquee::orchestrator
