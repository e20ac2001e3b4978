#include "workers/runs/generator.h"

#include "cluster/error.h"
#include "experiments/run_folder.h"
#include "experiments/run_size.h"
#include "workers/runs/prompt_file.h"
#include "workers/runs/result_file.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;

constexpr const char* kResult = "result.h5";

// Copies the stored tensors into the adapter's leaves; a name or shape that does not fit is named.
void restore(const ParameterMap& stored, ParameterMap& leaves, const std::string& source) {
  const torch::NoGradGuard no_grad;
  for (auto& [name, leaf] : leaves) {
    const auto found = stored.find(name);
    if (found == stored.end() || found->second.sizes() != leaf.sizes()) {
      cluster::throw_environment(source + ": trained tensor '" + name +
                                 "' is missing or has another shape than its run says");
    }
    leaf.copy_(found->second);
  }
}

}  // namespace

fs::path result_file_of(const fs::path& source) {
  if (!fs::is_directory(source)) {
    if (!fs::exists(source))
      cluster::throw_environment(source.string() +
                                 ": is not there; expected a result.h5, or the "
                                 "folder of an attempt or a run");
    return source;
  }
  if (fs::exists(source / kResult)) return source / kResult;
  const int newest = experiments::newest_finished(source);
  if (newest == 0) {
    cluster::throw_environment(source.string() +
                               ": holds no result.h5 and no finished attempt of a run");
  }
  return experiments::attempt_folder_of(source, newest) / kResult;
}

Generator Generator::of_run(const fs::path& source, const fs::path& assets) {
  Generator generator;
  const fs::path file = result_file_of(source);
  StoredResult stored = read_result(file);
  if (experiments::is_oracle(stored.run)) {
    cluster::throw_usage(file.string() +
                         ": is an oracle row; it has real images and generates none");
  }
  generator.name = file.string();
  generator.run = std::move(stored.run);
  generator.trained_ = std::move(stored.trained);
  generator.task =
      task_classes(generator.run, experiments::num_classes(generator.run), stored.training_labels);
  generator.task.class_counts = std::move(stored.class_counts);
  generator.load(assets);
  return generator;
}

Generator Generator::of_prompt(const fs::path& file, const fs::path& assets) {
  Generator generator;
  PromptFile prompt = read_prompt_file(file);
  generator.name = file.string();
  generator.run = std::move(prompt.run);
  generator.trained_ = std::move(prompt.trained);
  generator.task = {prompt.classes, prompt.instance_labels, std::move(prompt.class_counts)};
  generator.load(assets);
  return generator;
}

Generator Generator::of_base(const std::string& name, const fs::path& assets) {
  Generator generator;
  generator.base_ = load_base(experiments::load_base_manifest(assets, name));
  generator.name = name;
  generator.task.classes = static_cast<int>(generator.base_.transformer.classes());
  generator.run.method = "none";
  generator.run.base = name;
  if (std::holds_alternative<GptConfig>(generator.base_.transformer.config))
    generator.run.family = experiments::kAutoregressive;
  return generator;
}

void Generator::load(const fs::path& assets) {
  const experiments::BaseManifest manifest = experiments::load_base_manifest(assets, run.base);
  if (experiments::base_hash(manifest) != run.base_hash) {
    cluster::throw_environment(name + ": was made on the base '" + run.base + "' with the hash " +
                               run.base_hash.substr(0, 12) + ", " + manifest.folder.string() +
                               " has " + experiments::base_hash(manifest).substr(0, 12) +
                               ": other weights, for which it means nothing");
  }
  // Before anything is made in the sizes that a file claims.
  const std::int64_t expected =
      experiments::size_of_run(run, manifest, {task.instances(), 0}).trained_numbers;
  if (count_parameters(trained_) != expected) {
    cluster::throw_environment(name + ": holds " + std::to_string(count_parameters(trained_)) +
                               " trained numbers; its run has " + std::to_string(expected));
  }
  base_ = load_base(manifest);
}

std::unique_ptr<Adapter> Generator::adapter() const {
  std::unique_ptr<Adapter> adapter = make_adapter(run, base_, task.classes, task.instances());
  restore(trained_, adapter->trained(), name);
  return adapter;
}

}  // namespace marquee::workers
