// A split of a task: labels at hand, images decoded one by one on demand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/data_folder.h"
#include "datasets/image.h"
#include "datasets/task.h"

namespace marquee::datasets {

// Thread safe for reading.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::size_t size() const = 0;
  virtual int num_classes() const = 0;
  // Class in [0, num_classes), or -1 where the task's rule has none for this example.
  virtual int label(std::size_t index) const = 0;
  // What the rule gave, where that is no class: a missing label, a number out of range.
  virtual int raw_label(std::size_t index) const { return label(index); }
  // Stored file name or id, else the position as text.
  virtual std::string id(std::size_t index) const = 0;
  // Rows in the order in which TFDS iterates: where a split is made of several pieces (a slice's
  // part of a shard), 16 of them take turns of 16 examples. Folders exported from TFDS are numbered
  // so.
  virtual std::vector<std::size_t> iteration_order() const;
  // Native size. Throws environment naming file and record when the bytes are damaged.
  virtual Image image(std::size_t index) const = 0;
  // The image file as stored; PNG for drawn tasks. Throws as image() does.
  virtual std::string image_bytes(std::size_t index) const = 0;
  // Bytes of the record or file that holds the example; 0 for drawn tasks.
  virtual std::uint64_t stored_bytes(std::size_t index) const = 0;
  // Whether id() is stored, not the position.
  virtual bool has_ids() const { return true; }
  // Records of the split that BadRecords::skip left out when it was opened, each with its place and
  // what is wrong with it. Images that cannot be decoded show only when image() is called.
  virtual std::vector<std::string> skipped() const { return {}; }
};

// How the data of a task lie in a folder. A TFDS folder comes first where both are there.
enum class DataLayout { drawn, tfds, vtab1k, images };
DataLayout layout_of(const TaskInfo& task, const std::filesystem::path& data_dir);
// Whether the folder holds the task's data; false for drawn tasks.
bool has_data(const TaskInfo& task, const std::filesystem::path& data_dir);

// Names: train, val, trainval, test, train800, val200, train800val200; order as stored.
const std::vector<std::string>& split_names();

// Throws usage for an unknown split, environment naming the folder looked for when the data are not
// there.
std::unique_ptr<Dataset> open_dataset(const TaskInfo& task, std::string_view split,
                                      const DataFolder& data);

// The split with the most training images: train, or all that a VTAB-1k folder has.
std::string largest_train_split(const TaskInfo& task, const std::filesystem::path& data_dir);

// Where a task's data come from: {"tfds", "eurosat/rgb", "2.0.0"}, for provenance.
struct DataSource {
  std::string layout;    // tfds, vtab1k, images, drawn
  std::string name;      // builder, folder, or task
  std::string version;   // of TFDS or of the drawing; empty for folders
  bool as_asked = true;  // whether VTAB names the version, or one known to hold the same
};
DataSource source_of(const TaskInfo& task, const std::filesystem::path& data_dir);

std::vector<int> labels_of(const Dataset& dataset);

// What the data call the classes, by label; empty where they have no names for them (drawn tasks,
// VTAB-1k folders, tasks whose classes are made by a rule). As stored: they may be hostile.
std::vector<std::string> class_names(const TaskInfo& task, const DataFolder& data);

}  // namespace marquee::datasets
