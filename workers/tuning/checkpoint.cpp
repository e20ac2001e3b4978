#include "workers/tuning/checkpoint.h"

#include "cluster/error.h"
#include "cluster/log.h"
#include "experiments/checkpoint_files.h"
#include "workers/hdf5_file.h"

namespace marquee::workers {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKept = 2;

void write_validation(Hdf5File& file, const Validation& validation) {
  if (validation.losses.empty()) return;
  file.write_tensor("validation/steps", id_tensor(validation.steps));
  file.write_tensor("validation/losses",
                    torch::tensor(at::ArrayRef<double>(validation.losses), torch::kFloat64));
  file.set_attribute("validation", "best", static_cast<std::int64_t>(validation.best));
  for (const auto& [key, tensor] : validation.best_trained)
    file.write_tensor("best/" + key, tensor);
}

Tensor read_shaped(const Hdf5File& file, const std::string& name, const Tensor& like,
                   const fs::path& path) {
  const Tensor tensor = file.read_tensor(name);
  if (tensor.sizes() != like.sizes())
    cluster::throw_environment(path.string() + ": '" + name + "' has another shape");
  return tensor;
}

Validation read_validation(const Hdf5File& file, const ParameterMap& trained,
                           const fs::path& path) {
  Validation validation;
  if (!file.has("validation")) return validation;
  const Tensor steps = file.read_tensor("validation/steps"),
               losses = file.read_tensor("validation/losses");
  const std::int64_t best = file.int_attribute("validation", "best");
  if (steps.scalar_type() != torch::kInt64 || losses.scalar_type() != torch::kFloat64 ||
      steps.numel() != losses.numel() || best < 0 || best >= losses.numel())
    cluster::throw_environment(path.string() + ": validation does not fit together");
  validation.steps.assign(steps.data_ptr<std::int64_t>(),
                          steps.data_ptr<std::int64_t>() + steps.numel());
  validation.losses.assign(losses.data_ptr<double>(), losses.data_ptr<double>() + losses.numel());
  validation.best = static_cast<std::size_t>(best);
  for (const auto& [name, leaf] : trained)
    validation.best_trained[name] = read_shaped(file, "best/" + name, leaf, path);
  return validation;
}

}  // namespace

void write_checkpoint(const fs::path& attempt_folder, const experiments::RunId& run,
                      const ParameterMap& trained, const TuningState& state) {
  write_sealed_hdf5(attempt_folder / experiments::checkpoint_name(state.step), [&](Hdf5File& file) {
    file.set_attribute("", "description",
                       "state of a run after `step` tuning steps: parameters, AdamW moments mu and "
                       "nu, loss of each step; with early stopping validation/{steps,losses} and "
                       "the parameters of the best look");
    file.set_attribute("", "run_id", run.text());
    file.set_attribute("", "step", state.step);
    for (const auto& [key, tensor] : trained) {
      file.write_tensor("parameters/" + key, tensor);
      file.write_tensor("mu/" + key, state.adam.mu.at(key));
      file.write_tensor("nu/" + key, state.adam.nu.at(key));
    }
    file.write_tensor("losses", torch::tensor(at::ArrayRef<double>(state.losses), torch::kFloat64));
    write_validation(file, state.validation);
  });
  const auto all = experiments::checkpoints_in(attempt_folder);
  for (std::size_t i = kKept; i < all.size(); ++i) {
    std::error_code ignored;
    fs::remove(all[i].path, ignored);
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
          {"nu/", &nu}})
      (*target)[name] = read_shaped(file, group + name, leaf, path).to(leaf.device());
  }
  Validation validation = read_validation(file, trained, path);
  const Tensor losses = file.read_tensor("losses");
  const std::int64_t step = file.int_attribute("", "step");
  if (losses.scalar_type() != torch::kFloat64 || losses.numel() != step)
    cluster::throw_environment(path.string() + ": losses do not fit the step");
  const torch::NoGradGuard no_grad;
  for (auto& [name, leaf] : trained) leaf.copy_(values.at(name));
  state.adam = {std::move(mu), std::move(nu), step};
  state.step = step;
  state.losses.assign(losses.data_ptr<double>(), losses.data_ptr<double>() + losses.numel());
  state.pending.clear();
  state.validation = std::move(validation);
}

std::optional<fs::path> resume(const fs::path& run_folder, const experiments::RunId& run,
                               ParameterMap& trained, TuningState& state) {
  for (const auto& [step, attempt, file] : experiments::resumable_checkpoints(run_folder)) {
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
