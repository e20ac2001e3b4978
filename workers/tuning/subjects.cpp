#include "workers/tuning/subjects.h"

#include <algorithm>
#include <numeric>

#include "cluster/error.h"
#include "experiments/waypoints.h"
#include "workers/random.h"

namespace marquee::workers {
namespace {

using experiments::RunConfig;
using experiments::WaypointRule;
using experiments::WaypointSource;

constexpr std::int64_t kLeftOut = -1;

// The training images of each class in ascending order.
std::vector<std::vector<std::int64_t>> images_by_class(const TaskClasses& task) {
  std::vector<std::vector<std::int64_t>> images(static_cast<std::size_t>(task.classes));
  for (std::int64_t i = 0; i < task.instances(); ++i) {
    const auto label = task.instance_labels[i].item<std::int64_t>();
    if (label >= 0 && label < task.classes) images[static_cast<std::size_t>(label)].push_back(i);
  }
  return images;
}

// A shuffled order of `count` things, from the stream of an image.
std::vector<std::size_t> order_of(const RunConfig& run, std::uint64_t image, std::uint64_t draw,
                                  std::size_t count) {
  PhiloxStream stream(run.seed, cluster::Purpose::waypoints, draw, image);
  return cluster::permutation(stream, count);
}

class Drawing {
 public:
  Drawing(const RunConfig& run, const TaskClasses& task)
      : run_(run), task_(task), images_(images_by_class(task)) {}

  // `count` training images of a class, all different as far as there are so many.
  std::vector<std::int64_t> instances(std::int64_t label, std::uint64_t image, std::size_t count,
                                      std::uint64_t draw = 0) const {
    const auto& of_class = images_[static_cast<std::size_t>(label)];
    if (of_class.empty()) return std::vector<std::int64_t>(count, kLeftOut);
    const std::vector<std::size_t> order = order_of(run_, image, draw, of_class.size());
    std::vector<std::int64_t> chosen;
    for (std::size_t i = 0; i < count; ++i) chosen.push_back(of_class[order[i % order.size()]]);
    return chosen;
  }

  // `count` classes on the way to `label`, which is the last; the others differ from it and, as far
  // as there are so many, from each other.
  std::vector<std::int64_t> classes(std::int64_t label, std::uint64_t image,
                                    std::size_t count) const {
    std::vector<std::int64_t> chosen;
    const auto others = static_cast<std::size_t>(task_.classes) - 1;
    if (others > 0) {
      const std::vector<std::size_t> order = order_of(run_, image, 0, others);
      for (std::size_t i = 0; i + 1 < count; ++i) {
        const auto other = static_cast<std::int64_t>(order[i % others]);
        chosen.push_back(other < label ? other : other + 1);
      }
    }
    chosen.resize(count, label);
    return chosen;
  }

 private:
  const RunConfig& run_;
  const TaskClasses& task_;
  std::vector<std::vector<std::int64_t>> images_;
};

Subjects listed(const WaypointRule& rule, std::int64_t rows, const TaskClasses& task) {
  const bool instances = rule.source == WaypointSource::instances;
  const std::int64_t limit = instances ? task.instances() : task.classes;
  Subjects subjects;
  for (const int entry : rule.list) {
    if (entry >= limit) {
      cluster::throw_usage("'marquee' names " + std::string(instances ? "instance " : "class ") +
                           std::to_string(entry) + "; expected 0 to " + std::to_string(limit - 1));
    }
    const auto label = instances ? task.instance_labels[entry].item<std::int64_t>() : entry;
    Identifiers all(torch::full({rows}, label, torch::kInt64));
    if (instances) all.instances = torch::full({rows}, entry, torch::kInt64);
    subjects.push_back(std::move(all));
  }
  return subjects;
}

}  // namespace

Tensor id_tensor(const std::vector<std::int64_t>& values) {
  return torch::tensor(at::ArrayRef<std::int64_t>(values), torch::kInt64);
}

std::vector<std::int64_t> class_counts_from(const Tensor& counts, int classes,
                                            const std::string& where) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;  // sums of them stay far from the end
  const Tensor whole = counts.to(torch::kInt64).contiguous();
  const bool fits = counts.dim() == 1 && counts.size(0) == classes && classes > 0 &&
                    whole.min().item<std::int64_t>() >= 0 &&
                    whole.max().item<std::int64_t>() <= kMost &&
                    whole.max().item<std::int64_t>() > 0;
  if (!fits)
    cluster::throw_environment(where + ": expected counts of " + std::to_string(classes) +
                               " classes, not all of them 0");
  const auto* first = whole.const_data_ptr<std::int64_t>();
  return {first, first + classes};
}

Tensor labels_of_samples(const TaskClasses& task, std::int64_t count) {
  const std::vector<std::int64_t>& shares = task.class_counts;
  if (shares.empty()) return torch::arange(count, torch::kInt64) % task.classes;
  const std::int64_t all = std::accumulate(shares.begin(), shares.end(), std::int64_t{0});
  MARQUEE_CHECK(std::ssize(shares) == task.classes && all > 0, "shares of the task's classes");
  // In units of 1 / all: what each class is owed so far.
  std::vector<std::int64_t> owed(shares.size(), 0), labels;
  labels.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < owed.size(); ++c) owed[c] += shares[c];
    const auto most = std::max_element(owed.begin(), owed.end());
    *most -= all;
    labels.push_back(most - owed.begin());
  }
  return id_tensor(labels);
}

TaskClasses task_classes(const RunConfig& run, int classes, const Tensor& labels) {
  return {classes, experiments::knows_instances(run) ? labels : Tensor()};
}

Subjects subjects_of(const RunConfig& run, const Tensor& labels, std::uint64_t first,
                     const TaskClasses& task) {
  const bool prompts = run.method == "prompt";
  const WaypointRule rule = prompts ? experiments::parse_waypoints(run.marquee) : WaypointRule{};
  if (!rule.list.empty()) return listed(rule, labels.size(0), task);
  const bool draws = experiments::knows_instances(run) &&
                     (rule.source == WaypointSource::instances || run.sample_instances == "drawn");
  if (rule.source == WaypointSource::none && !draws) return {labels};

  const Drawing drawing(run, task);
  const std::size_t count =
      rule.source == WaypointSource::none ? 1 : static_cast<std::size_t>(run.marquee_waypoints);
  std::vector<std::vector<std::int64_t>> classes(count), instances(count);
  for (std::int64_t row = 0; row < labels.size(0); ++row) {
    const auto label = labels[row].item<std::int64_t>();
    const std::uint64_t image = first + static_cast<std::uint64_t>(row);
    if (rule.source == WaypointSource::classes) {
      const std::vector<std::int64_t> way = drawing.classes(label, image, count);
      for (std::size_t i = 0; i < count; ++i) {
        classes[i].push_back(way[i]);
        if (draws) instances[i].push_back(drawing.instances(way[i], image, 1, i + 1)[0]);
      }
    } else {
      const std::vector<std::int64_t> way = drawing.instances(label, image, count);
      for (std::size_t i = 0; i < count; ++i) {
        classes[i].push_back(label);
        instances[i].push_back(way[i]);
      }
    }
  }
  Subjects subjects;
  for (std::size_t i = 0; i < count; ++i)
    subjects.emplace_back(id_tensor(classes[i]), draws ? id_tensor(instances[i]) : Tensor());
  return subjects;
}

}  // namespace marquee::workers
