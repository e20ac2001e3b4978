#include "datasets/task.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>

#include "cluster/error.h"
#include "cluster/suggest.h"

namespace marquee::datasets {
namespace {

using enum TaskGroup;

constexpr std::string_view kOwnPrefix = "folder/";

std::vector<TaskInfo> make_tasks() {
  const auto whole = [](const char* split) { return std::vector<Slice>{{split}}; };
  const auto first = [](int share) { return std::vector<Slice>{{"train", {}, share}}; };
  const auto rest = [](std::vector<int> before) { return std::vector<Slice>{{"train", before}}; };
  const auto next = [](int before, int share) {
    return std::vector<Slice>{{"train", {before}, share}};
  };
  std::vector<TaskInfo> tasks;
  const auto add = [&](TaskInfo task) { tasks.push_back(std::move(task)); };
  const auto simple = [&](const char* name, TaskGroup group, const char* builder,
                          const char* version, int classes, std::vector<Slice> train,
                          std::vector<Slice> val, std::vector<Slice> test, bool mirrors = true) {
    TaskInfo task;
    task.name = name;
    task.group = group;
    task.builder = builder;
    task.version = version;
    task.num_classes = classes;
    task.mirrors_keep_label = mirrors;
    task.train = std::move(train);
    task.val = std::move(val);
    task.test = std::move(test);
    return task;
  };

  add(simple("caltech101", natural, "caltech101", "3.*.*", 102, first(90), rest({90}),
             whole("test")));
  add(simple("cifar100", natural, "cifar100", "3.*.*", 100, first(90), rest({90}), whole("test")));
  add(simple("dtd", natural, "dtd", "3.*.*", 47, whole("train"), whole("validation"),
             whole("test")));
  add(simple("oxford_flowers102", natural, "oxford_flowers102", "2.*.*", 102, whole("train"),
             whole("validation"), whole("test")));
  TaskInfo pets = simple("oxford_iiit_pet", natural, "oxford_iiit_pet", "3.*.*", 37, first(80),
                         rest({80}), whole("test"));
  // Adds head boxes and encodes damaged images anew; 3.*.* cannot be made any more.
  pets.same_content = {"4.0.0"};
  add(pets);
  add(simple("svhn", natural, "svhn_cropped", "3.*.*", 10, first(90), rest({90}), whole("test"),
             false));
  add(simple("sun397", natural, "sun397/tfds", "4.*.*", 397, whole("train"), whole("validation"),
             whole("test")));
  add(simple("patch_camelyon", specialized, "patch_camelyon", "2.*.*", 2, whole("train"),
             whole("validation"), whole("test")));
  add(simple("eurosat", specialized, "eurosat/rgb", "2.*.*", 10, first(60), next(60, 20),
             rest({60, 20})));
  add(simple("resisc45", specialized, "resisc45", "3.*.*", 45, first(60), next(60, 20),
             rest({60, 20})));
  add(simple("diabetic_retinopathy", specialized, "diabetic_retinopathy_detection/btgraham-300",
             "3.*.*", 5, whole("train"), whole("validation"), whole("test")));

  TaskInfo clevr = simple("clevr_count", structured, "clevr", "3.*.*", 8, first(90), rest({90}),
                          whole("validation"));
  clevr.rule = LabelRule::clevr_count;
  add(clevr);
  clevr.name = "clevr_distance";
  clevr.num_classes = 6;
  clevr.rule = LabelRule::clevr_distance;
  add(clevr);
  add(simple("dmlab", structured, "dmlab", "2.0.1", 6, whole("train"), whole("validation"),
             whole("test")));
  TaskInfo kitti = simple("kitti_closest_vehicle_distance", structured, "kitti", "3.1.0", 4,
                          whole("train"), whole("validation"), whole("test"));
  kitti.rule = LabelRule::kitti_distance;
  kitti.same_content = {"3.2.0", "3.3.0"};
  add(kitti);

  TaskInfo dsprites = simple("dsprites_location", structured, "dsprites", "2.*.*", 16, first(80),
                             next(80, 10), rest({80, 10}), false);
  dsprites.rule = LabelRule::floor_division;
  dsprites.label_key = "label_x_position";
  dsprites.divisor = 2.0;
  dsprites.pixel_scale = 255;
  add(dsprites);
  dsprites.name = "dsprites_orientation";
  dsprites.label_key = "label_orientation";
  dsprites.divisor = 2.5;
  add(dsprites);

  TaskInfo norb = simple("smallnorb_azimuth", structured, "smallnorb", "2.*.*", 18, whole("train"),
                         {{"test", {}, 50, -1, true}}, {{"test", {50}, -1, -1, true}}, false);
  norb.label_key = "label_azimuth";
  add(norb);
  norb.name = "smallnorb_elevation";
  norb.num_classes = 9;
  norb.mirrors_keep_label = true;
  norb.label_key = "label_elevation";
  add(norb);

  // The names that the folders have where they differ from ours.
  const std::pair<const char*, const char*> folders[] = {
      {"cifar100", "cifar"},
      {"clevr_distance", "clevr_dist"},
      {"kitti_closest_vehicle_distance", "kitti"},
      {"dsprites_location", "dsprites_loc"},
      {"dsprites_orientation", "dsprites_ori"},
      {"smallnorb_azimuth", "smallnorb_azi"},
      {"smallnorb_elevation", "smallnorb_ele"}};
  for (TaskInfo& task : tasks) {
    task.vtab1k_folder = task.name;
    for (const auto& [name, folder] : folders)
      if (task.name == name) task.vtab1k_folder = folder;
  }

  struct Drawn {
    const char* name;
    int classes;
    bool mirrors;
  };
  for (const Drawn& each : {Drawn{"drawn/dsprites_location", 16, false},
                            {"drawn/dsprites_orientation", 16, false},
                            {"drawn/shapes_count", 8, true},
                            {"drawn/shapes_distance", 6, true},
                            {"drawn/digits", 10, false}}) {
    TaskInfo task;
    task.name = each.name;
    task.group = drawn;
    task.num_classes = each.classes;
    task.mirrors_keep_label = each.mirrors;
    add(task);
  }
  return tasks;
}

// Letters, digits and what file names have besides, in parts that lead nowhere else.
bool is_own_name(std::string_view name) {
  constexpr std::size_t kMaxLength = 200;
  constexpr std::string_view kOther = "_-.+/";
  if (name.empty() || name.size() > kMaxLength) return false;
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    if (end == at || name[at] == '.') return false;
    at = end + 1;
  }
  return std::all_of(name.begin(), name.end(), [&](char letter) {
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                       (letter >= '0' && letter <= '9');
    return plain || kOther.find(letter) != std::string_view::npos;
  });
}

const TaskInfo& own_task(std::string_view name) {
  if (!is_own_name(name.substr(kOwnPrefix.size()))) {
    cluster::throw_usage(
        "task '" + std::string(name) +
        "': expected folder/NAME with the name of a folder or archive below --data "
        "(letters, digits, '_', '-', '.', '+', '/')");
  }
  static std::mutex mutex;
  static std::map<std::string, TaskInfo, std::less<>> known;
  const std::lock_guard lock(mutex);
  const auto found = known.find(name);
  if (found != known.end()) return found->second;
  TaskInfo task;
  task.name = name;
  task.group = own;
  return known.emplace(task.name, task).first->second;
}

}  // namespace

bool flips(const TaskInfo& task, bool asked) {
  return asked && (task.group != drawn || task.mirrors_keep_label);
}

std::pair<std::int64_t, std::int64_t> Slice::rows_of(std::int64_t size) const {
  const auto part = [&](int percent) {
    if (!rounds_like_tfds) return size * percent / 100;
    return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(size) * percent / 100.0));
  };
  std::int64_t from = 0;
  for (const int percent : before) from += part(percent);
  std::int64_t to = size;
  if (count >= 0) {
    to = std::min(size, from + count);
  } else if (share >= 0) {
    to = from + part(share);
  }
  return {from, to};
}

std::set<std::string> stored_splits(const TaskInfo& task) {
  std::set<std::string> names;
  for (const auto* slices : {&task.train, &task.val, &task.test})
    for (const Slice& slice : *slices) names.insert(slice.split);
  return names;
}

std::string_view to_string(TaskGroup group) {
  switch (group) {
    case natural:
      return "natural";
    case specialized:
      return "specialized";
    case structured:
      return "structured";
    case drawn:
      return "drawn";
    case own:
      break;
  }
  return "own";
}

std::string rule_text(const TaskInfo& task) {
  if (task.group == drawn) return "as drawn";
  if (task.group == own) return "folder of the class";
  switch (task.rule) {
    case LabelRule::plain:
      break;
    case LabelRule::clevr_count:
      return "number of objects - 3";
    case LabelRule::clevr_distance:
      return "nearest depth: 0, 8, 8.5, 9, 9.5, 10 to 100";
    case LabelRule::kitti_distance:
      return "nearest car, van, truck: 8, 20, 999; 3: none";
    case LabelRule::floor_division:
      return "floor(" + task.label_key + " / " + (task.divisor == 2.0 ? "2" : "2.5") + ")";
  }
  return task.label_key;
}

const std::vector<TaskInfo>& all_tasks() {
  static const std::vector<TaskInfo> tasks = make_tasks();
  return tasks;
}

const TaskInfo& find_task(std::string_view name) {
  if (name.starts_with(kOwnPrefix)) return own_task(name);
  for (const TaskInfo& task : all_tasks()) {
    if (task.name == name) return task;
  }
  const std::vector<std::string> names = task_names();
  cluster::throw_usage("unknown task '" + std::string(name) + "'" +
                       cluster::did_you_mean(name, names) + "; expected one of " +
                       cluster::join(names) + ", or folder/NAME for images of your own");
}

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const TaskInfo& task : all_tasks()) names.push_back(task.name);
  return names;
}

}  // namespace marquee::datasets
