#include "workers/pretrain/training_loop.h"

#include <cmath>
#include <cstdio>
#include <numeric>

#include "cluster/error.h"
#include "cluster/host.h"
#include "workers/hdf5_file.h"

namespace marquee::workers {
namespace {

constexpr std::int64_t kPrintInterval = 50;

void write_map(Hdf5File& file, const std::string& group, const ParameterMap& map) {
  for (const auto& [name, tensor] : map) file.write_tensor(group + "/" + name, tensor);
}

void read_map(const Hdf5File& file, const std::string& group, ParameterMap& map) {
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : map) tensor.copy_(file.read_tensor(group + "/" + name));
}

void save(const std::filesystem::path& path, const std::string& identity, const StageState& state) {
  write_sealed_hdf5(path, [&](Hdf5File& file) {
    write_map(file, "parameters", state.parameters);
    write_map(file, "mu", state.adam.mu);
    write_map(file, "nu", state.adam.nu);
    write_map(file, "buffers", state.buffers);
    file.write_tensor("losses", torch::tensor(at::ArrayRef<double>(state.losses), torch::kFloat64));
    file.set_attribute("", "step", state.step);
    file.set_attribute("", "identity", identity);
  });
}

void load(const std::filesystem::path& path, const std::string& identity, StageState& state) {
  const Hdf5File file = open_sealed_hdf5(path);
  if (file.string_attribute("", "identity") != identity) {
    cluster::throw_usage(path.string() +
                         ": is the state of other options of this stage, or of other data; remove "
                         "it or name another --work folder");
  }
  read_map(file, "parameters", state.parameters);
  read_map(file, "mu", state.adam.mu);
  read_map(file, "nu", state.adam.nu);
  read_map(file, "buffers", state.buffers);
  const Tensor losses = file.read_tensor("losses");
  state.losses.assign(losses.data_ptr<double>(), losses.data_ptr<double>() + losses.numel());
  state.step = file.int_attribute("", "step");
  state.adam.step = state.step;
}

}  // namespace

void train_stage(const std::string& name, const StageOptions& options, AdamWOptions adamw,
                 std::int64_t checkpoint_interval, const std::filesystem::path& state_file,
                 const std::string& identity, StageState& state, const StageStep& step,
                 const ProgressPrinter& print) {
  state.adam = init_adamw(state.parameters);
  if (std::filesystem::exists(state_file)) {
    load(state_file, identity, state);
    print(name + ": continues at step " + std::to_string(state.step) + " of " +
          std::to_string(options.steps));
  }
  adamw.weight_decay = options.weight_decay;
  const double started = cluster::monotonic_seconds();
  const std::int64_t first = state.step;
  while (state.step < options.steps) {
    for (auto& [key, leaf] : state.parameters) leaf.mutable_grad() = Tensor();
    const Tensor loss = step(state.step, state);
    loss.backward();
    ParameterMap gradients;
    for (const auto& [key, leaf] : state.parameters) {
      gradients[key] = leaf.grad().defined() ? leaf.grad() : torch::zeros_like(leaf);
    }
    const double value = loss.item<double>();
    if (!std::isfinite(value)) {
      cluster::throw_environment("pretraining of the " + name + " diverged at step " +
                                 std::to_string(state.step) + "; lower its learning_rate");
    }
    adamw_step(state.parameters, gradients, state.adam,
               cosine_rate(options.learning_rate, state.step, options.steps, options.warmup),
               adamw);
    state.losses.push_back(value);
    ++state.step;
    if (state.step % kPrintInterval == 0 || state.step == options.steps) {
      const auto recent = std::min<std::size_t>(state.losses.size(), kPrintInterval);
      const double mean = std::accumulate(state.losses.end() - static_cast<std::ptrdiff_t>(recent),
                                          state.losses.end(), 0.0) /
                          static_cast<double>(recent);
      const double pace =
          (cluster::monotonic_seconds() - started) / static_cast<double>(state.step - first);
      char line[160];
      std::snprintf(line, sizeof line, "%s: step %lld/%lld  loss %.4f  %.2f s/step  %.0f s left",
                    name.c_str(), static_cast<long long>(state.step),
                    static_cast<long long>(options.steps), mean, pace,
                    pace * static_cast<double>(options.steps - state.step));
      print(line);
    }
    if (state.step % checkpoint_interval == 0 || state.step == options.steps)
      save(state_file, identity, state);
  }
}

}  // namespace marquee::workers
