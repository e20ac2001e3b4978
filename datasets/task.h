// The registry of tasks: the 19 of VTAB, declared as data (builder, splits, label rule), the tasks
// that are drawn by code, and a user's own (folder/NAME). Source of the rules: reference/vtab.md.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace marquee::datasets {

enum class TaskGroup { natural, specialized, structured, drawn, own };
std::string_view to_string(TaskGroup group);

// How a label is made from an example.
enum class LabelRule {
  plain,           // int64 feature `label_key`
  clevr_count,     // number of objects - 3
  clevr_distance,  // nearest object's depth in bins
  kitti_distance,  // nearest vehicle's distance in bins
  floor_division,  // floor(label_key / divisor)
};

// Consecutive rows of a stored split. VTAB's code counts whole percent of the stored examples,
// rounded down, so that it fits sets of any size.
struct Slice {
  std::string split;
  std::vector<int> before{};      // percent of the parts in front, each rounded by itself
  int share = -1;                 // percent; < 0: to the end
  std::int64_t count = -1;        // rows, instead of `share`
  bool rounds_like_tfds = false;  // TFDS's own percent slices: to the nearest, halves to even

  // First row and the one behind the last, of `size` rows.
  std::pair<std::int64_t, std::int64_t> rows_of(std::int64_t size) const;
};

struct TaskInfo {
  std::string name;
  TaskGroup group = TaskGroup::natural;
  std::string builder;                      // TFDS folder, "eurosat/rgb"; empty for drawn tasks
  std::string version;                      // as VTAB asks for it, "2.*.*"
  std::vector<std::string> same_content{};  // other versions that hold the same images and labels
  std::string vtab1k_folder;       // in the layout of VTAB-1k folders; empty for drawn tasks
  int num_classes = 0;             // 0 for own tasks: their data say it
  bool mirrors_keep_label = true;  // whether a label means the same for the mirrored image
  LabelRule rule = LabelRule::plain;
  std::string label_key = "label";
  double divisor = 1;
  std::vector<Slice> train, val, test;
  std::string image_key = "image";
  int pixel_scale = 1;  // stored pixels times this (dSprites stores 0 and 1)
};

// Whether a run that asks for `flip` mirrors the task's images: always, as the official code does
// (SVHN's digits included), but for drawn tasks whose labels would be wrong.
bool flips(const TaskInfo& task, bool asked);

// The stored splits that the task's slices are taken from, in byte order.
std::set<std::string> stored_splits(const TaskInfo& task);

// How the label is made, in words: "floor(label_orientation / 2.5)".
std::string rule_text(const TaskInfo& task);

// Those that are declared: VTAB's and the drawn ones.
const std::vector<TaskInfo>& all_tasks();
// Any of them, or "folder/NAME": the folder or archive NAME of the user's own images. Usage error
// with the nearest name for an unknown one. Thread safe; the reference stays valid.
const TaskInfo& find_task(std::string_view name);
std::vector<std::string> task_names();

}  // namespace marquee::datasets
