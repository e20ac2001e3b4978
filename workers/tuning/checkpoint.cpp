#include "workers/tuning/checkpoint.h"

#include <algorithm>
#include <tuple>

#include "cluster/error.h"
#include "cluster/log.h"
#include "experiments/run_folder.h"
#include "workers/hdf5_file.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "checkpoint-", kSuffix = ".h5";
constexpr std::size_t kKept = 2;

// Step in "checkpoint-<step>.h5", or -1.
std::int64_t step_of(const std::string& name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return -1;
  const std::string digits =
      name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  if (digits.empty() || digits.size() > 12 ||
      digits.find_first_not_of("0123456789") != std::string::npos)
    return -1;
  return std::stoll(digits);
}

// (step, file) of a folder, newest first.
std::vector<std::pair<std::int64_t, fs::path>> checkpoints_in(const fs::path& folder) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::int64_t step = step_of(entry.path().filename().string());
    if (step >= 0) found.emplace_back(step, entry.path());
  }
  std::sort(found.rbegin(), found.rend());
  return found;
}

}  // namespace

void write_checkpoint(const fs::path& attempt_folder, const experiments::RunId& run,
                      const ParameterMap& trained, const TuningState& state) {
  const std::string name = std::string(kPrefix) + std::to_string(state.step) + std::string(kSuffix);
  write_sealed_hdf5(attempt_folder / name, [&](Hdf5File& file) {
    file.set_attribute("", "description",
                       "state of a run after `step` tuning steps: parameters, AdamW moments mu and "
                       "nu, loss of each step");
    file.set_attribute("", "run_id", run.text());
    file.set_attribute("", "step", state.step);
    for (const auto& [key, tensor] : trained) {
      file.write_tensor("parameters/" + key, tensor);
      file.write_tensor("mu/" + key, state.adam.mu.at(key));
      file.write_tensor("nu/" + key, state.adam.nu.at(key));
    }
    file.write_tensor("losses", torch::tensor(at::ArrayRef<double>(state.losses), torch::kFloat64));
  });
  const auto all = checkpoints_in(attempt_folder);
  for (std::size_t i = kKept; i < all.size(); ++i) {
    std::error_code ignored;
    fs::remove(all[i].second, ignored);
  }
}

void read_checkpoint(const fs::path& path, const experiments::RunId& run, ParameterMap& trained,
                     TuningState& state) {
  const Hdf5File file = open_sealed_hdf5(path);
  if (file.string_attribute("", "run_id") != run.text())
    cluster::throw_environment(path.string() + ": is a checkpoint of another run");
  // Everything is read before anything is changed.
  ParameterMap values, mu, nu;
  for (const auto& [name, leaf] : trained) {
    for (const auto& [group, target] :
         {std::pair<const char*, ParameterMap*>{"parameters/", &values},
          {"mu/", &mu},
          {"nu/", &nu}}) {
      const Tensor tensor = file.read_tensor(group + name);
      if (tensor.sizes() != leaf.sizes())
        cluster::throw_environment(path.string() + ": '" + group + name + "' has another shape");
      (*target)[name] = tensor;
    }
  }
  const Tensor losses = file.read_tensor("losses");
  const std::int64_t step = file.int_attribute("", "step");
  if (losses.scalar_type() != torch::kFloat64 || losses.numel() != step)
    cluster::throw_environment(path.string() + ": losses do not fit the step");
  const torch::NoGradGuard no_grad;
  for (auto& [name, leaf] : trained) leaf.copy_(values.at(name));
  state.adam = {mu, nu, step};
  state.step = step;
  state.losses.assign(losses.data_ptr<double>(), losses.data_ptr<double>() + losses.numel());
}

std::optional<fs::path> resume(const fs::path& run_folder, const experiments::RunId& run,
                               ParameterMap& trained, TuningState& state) {
  std::vector<std::pair<std::int64_t, fs::path>> all;
  const int finished = experiments::newest_finished(run_folder);
  for (const int attempt : experiments::attempt_numbers(run_folder)) {
    if (attempt <= finished) continue;
    const auto found = checkpoints_in(run_folder / ("attempt-" + std::to_string(attempt)));
    all.insert(all.end(), found.begin(), found.end());
  }
  std::sort(all.rbegin(), all.rend());
  for (const auto& [step, file] : all) {
    try {
      read_checkpoint(file, run, trained, state);
      return file;
    } catch (const cluster::Error& error) {
      cluster::log_warning("resume", std::string(error.what()) + "; the one before is tried");
    }
  }
  return std::nullopt;
}

}  // namespace marquee::workers
