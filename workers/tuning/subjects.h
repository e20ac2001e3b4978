// What images are asked for: a class, a training image, or several of either to move between.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "experiments/run_config.h"
#include "workers/models/prompt_generator.h"

namespace marquee::workers {

Tensor id_tensor(const std::vector<std::int64_t>& values);  // int64 [n]

// B images, by waypoint of the marquee header; a single one where prompts do not move.
using Subjects = std::vector<Identifiers>;

// int64 [B]: the class that each image ends in.
inline const Tensor& labels_of(const Subjects& subjects) {
  return subjects.back().classes;
}

// The task as a generator knows it.
struct TaskClasses {
  int classes = 0;
  Tensor instance_labels;  // int64 [N] of the training images; undefined where none are told
  // By class: images of the reference, whose shares generated images have. Empty: all classes
  // alike.
  std::vector<std::int64_t> class_counts{};
  std::int64_t instances() const { return instance_labels.defined() ? instance_labels.size(0) : 0; }
};

// From a file: throws environment naming `where` unless there is one count from 0 up for each class
// and not all are 0.
std::vector<std::int64_t> class_counts_from(const Tensor& counts, int classes,
                                            const std::string& where);

// `labels`: of the training images, int64 [N]; looked at where the run's generator is told
// instances.
TaskClasses task_classes(const experiments::RunConfig& run, int classes, const Tensor& labels);

// Classes of the first `count` images that are generated, int64 [count]. Each image goes to the
// class that is most behind its share (the lowest of equals), so that every beginning of the list
// has the shares too; alike, the classes come in turn.
Tensor labels_of_samples(const TaskClasses& task, std::int64_t count);

// What a run asks for as its images first..first+B-1, whose classes are `labels` int64 [B] unless a
// list of waypoints says otherwise. Training images and classes that an image draws come from its
// own stream, keyed by (seed, image). Throws usage for waypoints that the task does not have.
Subjects subjects_of(const experiments::RunConfig& run, const Tensor& labels, std::uint64_t first,
                     const TaskClasses& task);

}  // namespace marquee::workers
