// Something that generates: a base with the trained tensors of a run or of a prompt file, or as it
// was pretrained.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "experiments/run_config.h"
#include "workers/base_model.h"
#include "workers/tuning/adapter.h"

namespace marquee::workers {

class Generator {
 public:
  // `source`: result.h5 of an attempt, the folder of one, or that of a run, whose newest finished
  // attempt counts. Throws environment for what is missing or damaged, or was made with other
  // weights than those in `assets`; usage for an oracle row.
  static Generator of_run(const std::filesystem::path& source, const std::filesystem::path& assets);
  static Generator of_prompt(const std::filesystem::path& file,
                             const std::filesystem::path& assets);
  // With the classes of pretraining.
  static Generator of_base(const std::string& name, const std::filesystem::path& assets);

  // Its settings; what concerns decoding may be changed before images are made.
  experiments::RunConfig run;
  TaskClasses task;
  std::string name;  // for messages

  const BaseModel& base() const { return base_; }
  // Under `run` as it is now. The generator must outlive it.
  std::unique_ptr<Adapter> adapter() const;

 private:
  void load(const std::filesystem::path& assets);

  BaseModel base_;
  ParameterMap trained_;
};

// result.h5 of what `source` names (Generator::of_run).
std::filesystem::path result_file_of(const std::filesystem::path& source);

}  // namespace marquee::workers
