#include "datasets/survey.h"

#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "datasets/dataset.h"
#include "datasets/tfds_builds.h"
#include "datasets/tfds_features.h"
#include "datasets/tfds_folder.h"
#include "datasets/vtab1k.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostProblems = 5;  // of one task; the rest is counted

class Surveyor {
 public:
  Surveyor(const TaskInfo& task, const fs::path& data_dir) : task_(task), data_dir_(data_dir) {
    found_.task = task.name;
  }

  TaskPresence look() {
    if (!has_data(task_, data_dir_)) return found_;
    if (layout_of(task_, data_dir_) == DataLayout::vtab1k) {
      look_at_vtab1k();
    } else {
      look_at_tfds();
    }
    if (left_out_ > 0)
      found_.problems.push_back("and " + std::to_string(left_out_) + " more like these");
    return found_;
  }

 private:
  void problem(std::string text) {
    if (found_.problems.size() < kMostProblems) {
      found_.problems.push_back(std::move(text));
    } else {
      ++left_out_;
    }
  }
  void note(const std::string& text) { found_.note += (found_.note.empty() ? "" : "; ") + text; }

  void look_at_tfds() {
    found_.path = data_dir_ / task_.builder;
    found_.standing = Standing::other_version;
    try {
      const TfdsFolder folder = open_tfds_folder(task_, data_dir_);
      found_.path = folder.path;
      found_.version = folder.version;
      if (folder.as_asked) found_.standing = Standing::same_content;
      if (folder.named_by_vtab) found_.standing = Standing::as_vtab_asks;
      check_tfds_features(task_, folder.path);
      for (const std::string& name : stored_splits(task_)) look_at_split(folder, name);
    } catch (const cluster::Error& error) {
      problem(error.what());
      return;
    }
    const std::int64_t published = tfds_build_of(task_).examples;
    if (found_.examples != published) note(std::to_string(published) + " examples are published");
    if (has_vtab1k(task_, data_dir_)) note("a VTAB-1k folder is there too and not read");
  }

  void look_at_split(const TfdsFolder& folder, const std::string& name) {
    const auto split = folder.splits.find(name);
    if (split == folder.splits.end()) {
      problem((folder.path / "dataset_info.json").string() + ": has no split '" + name + "'");
      return;
    }
    found_.examples += split->second.size();
    std::uintmax_t bytes = 0;
    bool all = true;
    for (const fs::path& file : split->second.files) {
      std::error_code error;
      const std::uintmax_t size = fs::file_size(file, error);
      if (error) {
        problem(file.string() + ": is missing");
        all = false;
      } else {
        bytes += size;
      }
    }
    constexpr std::int64_t kFraming = 16;  // bytes of a record that are not its payload
    const std::int64_t wanted = split->second.bytes + kFraming * split->second.size();
    if (all && split->second.bytes > 0 && split->second.size() > 0 &&
        bytes != static_cast<std::uintmax_t>(wanted)) {
      problem((folder.path / (folder.name + "-" + name + ".*")).string() + ": " +
              std::to_string(bytes) + " bytes, dataset_info.json declares " +
              std::to_string(wanted));
    }
  }

  void look_at_vtab1k() {
    found_.standing = Standing::vtab1k;
    found_.path = data_dir_ / task_.vtab1k_folder;
    for (const auto& [name, lines] : {std::pair{"train800", std::int64_t{800}},
                                      {"val200", 200},
                                      {"train800val200", 1000},
                                      {"test", tfds_build_of(task_).test_examples}}) {
      const fs::path list = found_.path / (std::string(name) + ".txt");
      if (!fs::exists(list)) {
        problem(list.string() + ": is missing");
        continue;
      }
      try {
        const auto dataset = open_vtab1k(task_, name, data_dir_);
        const auto size = static_cast<std::int64_t>(dataset->size());
        found_.examples += size;
        if (size != lines) {
          note(std::string(name) + " lists " + std::to_string(size) + " of " +
               std::to_string(lines) + " images");
        }
        for (std::size_t i = 0; i < dataset->size(); ++i) {
          const fs::path image = found_.path / dataset->id(i);
          if (!fs::exists(image)) problem(image.string() + ": is missing");
        }
      } catch (const cluster::Error& error) {
        problem(error.what());
      }
    }
  }

  const TaskInfo& task_;
  const fs::path& data_dir_;
  TaskPresence found_;
  std::size_t left_out_ = 0;
};

}  // namespace

std::string_view to_string(Standing standing) {
  switch (standing) {
    case Standing::missing:
      return "missing";
    case Standing::as_vtab_asks:
      return "as VTAB asks";
    case Standing::same_content:
      return "same content";
    case Standing::other_version:
      return "other version";
    case Standing::vtab1k:
      break;
  }
  return "VTAB-1k folder";
}

std::vector<TaskPresence> survey_data(const fs::path& data_dir) {
  if (!fs::is_directory(data_dir))
    cluster::throw_environment("no data folder at '" + data_dir.string() + "'");
  std::vector<TaskPresence> found;
  for (const TaskInfo& task : all_tasks())
    if (task.group != TaskGroup::drawn) found.push_back(Surveyor(task, data_dir).look());
  return found;
}

nlohmann::json to_json(const TaskPresence& presence) {
  const bool there = presence.standing != Standing::missing;
  const auto or_null = [](const std::string& text) {
    return text.empty() ? nlohmann::json() : nlohmann::json(text);
  };
  return {{"task", presence.task},
          {"standing", to_string(presence.standing)},
          {"path", or_null(presence.path.string())},
          {"version", or_null(presence.version)},
          {"examples", presence.examples},
          {"complete", there && presence.problems.empty()},
          {"problems", presence.problems},
          {"note", or_null(presence.note)}};
}

}  // namespace marquee::datasets
