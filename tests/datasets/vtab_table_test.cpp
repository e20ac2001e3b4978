// The table of tasks against the one in reference/vtab.md, row by row: builder, version, splits at
// the sizes that TFDS stored, classes, label rule. MARQUEE_REFERENCE_DIR or MARQUEE_SHARED names
// where it lies.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <regex>
#include <set>

#include "datasets/tfds_builds.h"
#include "datasets/tfds_example.h"
#include "datasets/tfds_folder.h"
#include "tests/datasets/shared_data.h"
#include "tests/datasets/written_example.h"

namespace marquee::datasets {
namespace {

namespace fs = std::filesystem;

fs::path vtab_file() {
  return reference_folder() / "vtab.md";
}

struct Row {
  std::string task, builder, version, splits, label;
  std::vector<std::int64_t> sizes;  // train, val, trainval, test
  int classes = 0;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::size_t from = line.find('|') + 1;
  for (std::size_t to = line.find('|', from); to != std::string::npos; to = line.find('|', from)) {
    std::string cell = line.substr(from, to - from);
    cell.erase(0, cell.find_first_not_of(' '));
    cell.erase(cell.find_last_not_of(' ') + 1);
    cells.push_back(std::move(cell));
    from = to + 1;
  }
  return cells;
}

std::string text_of_table() {
  return replaced(read_bytes(vtab_file()), "\xe2\x88\x92", "-");
}

// The 19 rows, those marked "same" filled in.
std::vector<Row> rows_of_table() {
  std::istringstream text(text_of_table());
  std::vector<Row> rows;
  const std::regex numbered("^\\| *[0-9]+ *\\|.*");
  for (std::string line; std::getline(text, line);) {
    if (!std::regex_match(line, numbered)) continue;
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() != 7) continue;
    Row row;
    if (cells[2] == "same" && !rows.empty()) row = rows.back();
    row.task = cells[1];
    if (cells[2] != "same") {
      const std::string name = replaced(cells[2], "`", "");
      row.builder = name.substr(0, name.find(':'));
      row.version = name.substr(name.find(':') + 1);
      row.splits = cells[3];
      row.sizes.clear();
      std::istringstream sizes(replaced(cells[4], "/", " "));
      for (std::int64_t size = 0; sizes >> size;) row.sizes.push_back(size);
    }
    row.classes = std::stoi(cells[5]);
    row.label = cells[6];
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<const TaskInfo*> vtab_tasks() {
  std::vector<const TaskInfo*> tasks;
  for (const TaskInfo& task : all_tasks())
    if (task.group != TaskGroup::drawn) tasks.push_back(&task);
  return tasks;
}

// Calls compare(task, row) for all 19, in the order that both tables have.
void for_all_rows(const std::function<void(const TaskInfo&, const Row&)>& compare) {
  const std::vector<Row> rows = rows_of_table();
  const std::vector<const TaskInfo*> tasks = vtab_tasks();
  ASSERT_EQ(rows.size(), 19u);
  ASSERT_EQ(tasks.size(), 19u);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const testing::ScopedTrace trace(__FILE__, __LINE__, tasks[i]->name + ", " + rows[i].task);
    compare(*tasks[i], rows[i]);
  }
}

TEST(VtabTable, HasOurBuildersVersionsGroupsAndClasses) {
  MARQUEE_NEEDS(vtab_file());
  for_all_rows([](const TaskInfo& task, const Row& row) {
    EXPECT_EQ(task.builder, row.builder);
    EXPECT_EQ(task.version, row.version);
    EXPECT_EQ(task.num_classes, row.classes);
    const char* group = task.group == TaskGroup::natural       ? "(N)"
                        : task.group == TaskGroup::specialized ? "(Sp)"
                                                               : "(St)";
    EXPECT_NE(row.task.find(group), std::string::npos);
  });
}

// What TFDS 2.1 declared for the real sets.
std::map<std::string, std::int64_t> stored_sizes(const TaskInfo& task) {
  std::map<std::string, std::int64_t> sizes;
  const fs::path parent = shared_data() / "tfds_old/metadata" / task.builder;
  for (const auto& entry : fs::directory_iterator(parent))
    for (const auto& [name, split] : read_tfds_folder(task, entry.path()).splits)
      sizes[name] = split.size();
  return sizes;
}

std::set<std::int64_t> boundaries(const TaskInfo& task,
                                  const std::map<std::string, std::int64_t>& stored) {
  std::set<std::int64_t> found;
  for (const auto* slices : {&task.train, &task.val, &task.test}) {
    for (const Slice& slice : *slices) {
      const auto [from, to] = slice.rows_of(stored.at(slice.split));
      found.insert({from, to});
    }
  }
  return found;
}

TEST(VtabTable, HasOurSplitsAtTheStoredSizes) {
  MARQUEE_NEEDS(vtab_file());
  MARQUEE_NEEDS(shared_data() / "tfds_old/metadata");
  for_all_rows([](const TaskInfo& task, const Row& row) {
    const std::map<std::string, std::int64_t> stored = stored_sizes(task);
    const auto rows = [&](const std::vector<Slice>& slices) {
      std::int64_t count = 0;
      for (const Slice& slice : slices) {
        const auto [from, to] = slice.rows_of(stored.at(slice.split));
        count += to - from;
      }
      return count;
    };
    const std::int64_t train = rows(task.train), val = rows(task.val);
    EXPECT_EQ((std::vector<std::int64_t>{train, val, train + val, rows(task.test)}), row.sizes);
    EXPECT_EQ(tfds_build_of(task).test_examples, row.sizes[3]);
    std::set<std::string> names;
    for (const auto* slices : {&task.train, &task.val, &task.test})
      for (const Slice& slice : *slices) names.insert(slice.split);
    std::int64_t examples = 0;
    for (const std::string& name : names) examples += stored.at(name);
    EXPECT_EQ(tfds_build_of(task).examples, examples);
    // "train[:90%→2754]", "[16200:21600]": where the slices begin and end.
    const std::set<std::int64_t> cuts = boundaries(task, stored);
    const std::regex number("[0-9]{4,}");
    for (std::sregex_iterator at(row.splits.begin(), row.splits.end(), number), end; at != end;
         ++at)
      EXPECT_TRUE(cuts.contains(std::stoll(at->str()))) << row.splits << ": " << at->str();
    // "test = TFDS **validation**": which stored split a part is of.
    const std::regex part("(train|val|test) = (TFDS )?\\**(train|validation|test)");
    for (std::sregex_iterator at(row.splits.begin(), row.splits.end(), part), end; at != end;
         ++at) {
      const std::vector<Slice>& slices = (*at)[1] == "train" ? task.train
                                         : (*at)[1] == "val" ? task.val
                                                             : task.test;
      EXPECT_EQ(slices.at(0).split, (*at)[3].str()) << row.splits;
    }
  });
}

TEST(VtabTable, HasOurLabelRules) {
  MARQUEE_NEEDS(vtab_file());
  for_all_rows([](const TaskInfo& task, const Row& row) {
    std::smatch found;
    std::string key = "label";
    const bool named = std::regex_search(row.label, found, std::regex("label_[a-z_]+"));
    if (named) key = found.str();
    LabelRule rule = LabelRule::plain;
    if (row.label.find("floor(") != std::string::npos) {
      rule = LabelRule::floor_division;
      ASSERT_TRUE(std::regex_search(row.label, found, std::regex("/ ([0-9.]+)\\)")));
      EXPECT_EQ(task.divisor, std::stod(found[1]));
    }
    if (row.label.find("number of objects - 3") != std::string::npos) rule = LabelRule::clevr_count;
    if (row.label.find("min over objects of pixel_coords") != std::string::npos)
      rule = LabelRule::clevr_distance;
    if (row.label == "see below") rule = LabelRule::kitti_distance;
    EXPECT_EQ(task.rule, rule);
    EXPECT_EQ(task.label_key, key);
  });
}

// The numbers of "thresholds [0, 8, 8.5]" behind `before`.
std::vector<double> thresholds_behind(const std::string& before) {
  const std::string text = text_of_table();
  const std::size_t from = text.find("thresholds [", text.find(before));
  if (from == std::string::npos) return {};
  const std::size_t begin = text.find('[', from) + 1;
  std::istringstream list(replaced(text.substr(begin, text.find(']', begin) - begin), ",", " "));
  std::vector<double> thresholds;
  for (double value = 0; list >> value;) thresholds.push_back(value);
  return thresholds;
}

// "label = largest i with thr[i] < d".
int wanted_label(double distance, const std::vector<double>& thresholds) {
  int label = kNoLabel;
  for (std::size_t i = 0; i < thresholds.size(); ++i)
    if (thresholds[i] < distance) label = static_cast<int>(i);
  return label;
}

// At every threshold, beside it, and far away.
std::vector<float> distances_round(const std::vector<double>& thresholds) {
  constexpr float kFar = std::numeric_limits<float>::max();
  std::vector<float> distances{-kFar, -3.5F, 1000.0F, kFar};
  for (const double threshold : thresholds) {
    const auto exact = static_cast<float>(threshold);
    distances.insert(distances.end(),
                     {std::nextafter(exact, -kFar), exact, std::nextafter(exact, kFar)});
  }
  return distances;
}

TEST(VtabTable, HasOurBinsOfClevrsDistance) {
  MARQUEE_NEEDS(vtab_file());
  const std::vector<double> thresholds = thresholds_behind("Clevr/distance");
  ASSERT_EQ(thresholds.size(), 7u);
  const TaskInfo& task = find_task("clevr_distance");
  for (const float depth : distances_round(thresholds)) {
    WrittenExample example;
    // x, y and depth; the nearest of two.
    example.add("objects/pixel_coords",
                std::vector<float>{1, 2, std::numeric_limits<float>::max(), 3, 4, depth});
    EXPECT_EQ(TfdsExample(example.bytes(), "here").raw_label(task), wanted_label(depth, thresholds))
        << depth;
  }
}

TEST(VtabTable, HasOurBinsOfKittisDistance) {
  MARQUEE_NEEDS(vtab_file());
  const std::vector<double> thresholds = thresholds_behind("KITTI closest_vehicle_distance");
  ASSERT_EQ(thresholds.size(), 4u);
  const TaskInfo& task = find_task("kitti_closest_vehicle_distance");
  for (const float distance : distances_round(thresholds)) {
    for (std::int64_t type = 0; type < 8; ++type) {
      WrittenExample example;
      example.add("objects/type", std::vector<std::int64_t>{7, type});
      example.add("objects/location", std::vector<float>{0, 0, 5, 1, 2, distance});
      // Cars, vans and trucks count; 1000 stands for none.
      const double nearest = type < 3 ? std::min<double>(distance, 1000) : 1000;
      EXPECT_EQ(TfdsExample(example.bytes(), "here").raw_label(task),
                wanted_label(nearest, thresholds))
          << distance << " of type " << type;
    }
  }
}

TEST(VtabTable, HasOurDivisionsAndCounts) {
  for (std::int64_t raw = 0; raw < 40; ++raw) {
    const auto label = [&](const char* task, const char* key) {
      WrittenExample example;
      example.add(key, std::vector<std::int64_t>{raw});
      return TfdsExample(example.bytes(), "here").raw_label(find_task(task));
    };
    EXPECT_EQ(label("dsprites_location", "label_x_position"), raw / 2);
    EXPECT_EQ(label("dsprites_orientation", "label_orientation"), raw * 2 / 5);
    EXPECT_EQ(label("smallnorb_azimuth", "label_azimuth"), raw);
    WrittenExample clevr;
    clevr.add("objects/size", std::vector<std::int64_t>(static_cast<std::size_t>(raw), 1));
    EXPECT_EQ(TfdsExample(clevr.bytes(), "here").raw_label(find_task("clevr_count")), raw - 3);
  }
}

// docs/data.md tells people how to make the data sets; the doctor tells the same.
TEST(TfdsBuilds, AreThoseOfTheDocumentation) {
  std::istringstream text(read_bytes(fs::path(MARQUEE_SOURCE_DIR) / "docs/data.md"));
  std::set<std::string> seen;
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with("| ") || line.find("examples: whole") == std::string::npos) continue;
    const std::vector<std::string> cells = cells_of(line);
    ASSERT_EQ(cells.size(), 5u) << line;
    std::istringstream names(replaced(cells[0], ",", " "));
    for (std::string name; names >> name;) {
      const TaskInfo& task = find_task(name);
      const TfdsBuild& build = tfds_build_of(task);
      EXPECT_EQ(cells[1], "`" + std::string(build.target) + "`") << name;
      EXPECT_EQ(std::stoll(cells[4]), build.examples) << name;
      EXPECT_EQ(tfds_build_command(task, "TFDS"),
                "tfds build --data_dir TFDS " + replaced(cells[1], "`", ""));
      seen.insert(name);
    }
  }
  EXPECT_EQ(seen.size(), 19u);
}

// The command makes a version that is read as VTAB's own or one of the same content.
TEST(TfdsBuilds, MakeVersionsThatTheTasksTake) {
  for (const TaskInfo* task : vtab_tasks()) {
    const std::string target = tfds_build_of(*task).target;
    std::smatch found;
    ASSERT_TRUE(std::regex_search(target, found, std::regex(":([0-9]+)\\.([0-9]+)\\.([0-9]+)")));
    EXPECT_EQ(target.substr(0, target.find(':')), task->builder);
    const std::array<int, 3> version{std::stoi(found[1]), std::stoi(found[2]), std::stoi(found[3])};
    const bool same =
        std::any_of(task->same_content.begin(), task->same_content.end(),
                    [&](const std::string& pattern) { return version_matches(version, pattern); });
    EXPECT_TRUE(same || version_matches(version, task->version)) << target;
  }
}

}  // namespace
}  // namespace marquee::datasets
