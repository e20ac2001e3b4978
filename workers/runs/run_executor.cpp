#include "workers/runs/run_executor.h"

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/failpoint.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "experiments/run_folder.h"
#include "workers/features/feature_files.h"
#include "workers/runs/run_attempt.h"

namespace marquee::workers {
namespace {

using experiments::RunConfig;

// What there is to do about it; nothing is done in silence.
std::string out_of_memory_text(const RunConfig& run, const std::string& reason) {
  return "the GPU's memory does not suffice: " + reason.substr(0, reason.find('\n')) +
         " The run computes " + std::to_string(run.batch / run.micro_batches) +
         " images at once in tuning and " + std::to_string(run.decode_batch) +
         " in sampling: raise micro_batches, lower decode_batch, set recompute_activations, or use "
         "a "
         "GPU with more memory";
}

// What attempt.json says of an attempt that ends now.
experiments::AttemptRecord record_of(const RunRequest& request, const std::string& status,
                                     const std::string& started) {
  experiments::AttemptRecord record;
  record.run_id = experiments::run_id(request.run).text();
  record.attempt = request.attempt;
  record.epoch = request.epoch;
  record.claim = request.claim;
  record.rerun_of = request.rerun_of;
  record.status = status;
  record.started = started;
  record.ended = cluster::utc_now();
  record.host = cluster::host_name();
  record.run = experiments::to_json(request.run);
  return record;
}

void seal(const RunRequest& request, const std::filesystem::path& folder,
          const experiments::AttemptRecord& record) {
  if (request.fence) request.fence->check();
  experiments::write_attempt(folder, record);
}

}  // namespace

const BaseModel& RunExecutor::base_for(const RunRequest& request) {
  const RunConfig& run = request.run;
  const std::filesystem::path folder = request.assets / run.base;
  if (!base_ || base_folder_ != folder || base_->base_hash != run.base_hash) {
    base_.reset();
    base_ = load_base(experiments::load_base_manifest(request.assets, run.base));
    tokenizer_ = device_.is_cpu() ? base_->tokenizer : base_->tokenizer.on(device_);
    base_folder_ = folder;
  }
  if (base_->base_hash != run.base_hash) {
    cluster::throw_environment(
        folder.string() +
        ": holds other weights than the run was planned with; start the sweep again");
  }
  return *base_;
}

const FeatureNetwork& RunExecutor::network_for(const RunRequest& request, const BaseModel& base) {
  const RunConfig& run = request.run;
  const std::string key =
      (request.networks / run.base).string() + "\n" + run.protocol + "\n" + run.network_hash;
  if (network_ == nullptr || network_key_ != key) {
    network_.reset();
    network_ = network_of_run(run, base, request.networks);
    network_key_ = key;
  }
  if (network_->hash() != run.network_hash) {
    cluster::throw_environment(
        "the feature network of protocol " + run.protocol + " below " + request.networks.string() +
        " has other weights than the run was planned with; start the sweep again");
  }
  return *network_;
}

RunOutcome RunExecutor::execute(const RunRequest& request, Communicator& gang, ProgressSink& sink) {
  const experiments::RunId id = experiments::run_id(request.run);
  const std::filesystem::path folder =
      experiments::attempt_dir(request.results, id, request.attempt);
  const std::string started = cluster::utc_now();
  const bool leads = gang.rank() == 0;
  const auto record = [&](const std::string& status, const std::string& kind,
                          const std::string& message) {
    if (!leads) return;
    experiments::AttemptRecord failed = record_of(request, status, started);
    failed.cause.kind = kind;
    failed.cause.message = message;
    try {
      seal(request, folder, failed);
    } catch (const cluster::Error& error) {
      cluster::log_error("run", error.what());
    }
  };
  try {
    if (leads) {
      experiments::create_attempt_folder(folder);
      cluster::write_file_durably(folder / "run.yaml", experiments::to_yaml(request.run));
    }
    Pace loading(sink, "load");
    RunOutcome outcome;
    try {
      // Copies stay until the attempt is over.
      const experiments::StagedInputs staged =
          stage_.take(request.stage, request.run, {request.data, request.assets, request.assets},
                      [&](std::int64_t bytes, std::int64_t total) {
                        loading.report(bytes >> 20, total >> 20);  // MiB
                      });
      RunRequest local = request;
      local.data = staged.folders.data;
      local.assets = staged.folders.base;
      local.networks = staged.folders.networks;
      outcome = attempt(local, folder, gang, sink);
    } catch (const Interrupted&) {
      // Before anything was tuned.
    }
    if (outcome.result) {
      experiments::AttemptRecord done = record_of(request, "done", started);
      done.result = *outcome.result;
      seal(request, folder, done);
      cluster::failpoint("trainer.sealed");
    } else if (!outcome.served) {
      record("interrupted", "interrupted",
             "on request, after tuning step " + std::to_string(outcome.step));
    }
    return outcome;
  } catch (const GangBroken&) {
    throw;
  } catch (const c10::OutOfMemoryError& error) {
    const OutOfMemory known(out_of_memory_text(request.run, error.what_without_backtrace()));
    record("failed", OutOfMemory::kKind, known.what());
    throw known;
  } catch (const cluster::Error& error) {
    record("failed", std::string(error.name()), error.what());
    throw;
  } catch (const std::exception& error) {
    record("failed", "defect", error.what());
    throw cluster::Error(cluster::ErrorKind::defect, error.what());
  }
}

RunOutcome RunExecutor::attempt(const RunRequest& request, const std::filesystem::path& folder,
                                Communicator& gang, ProgressSink& sink) {
  const RunConfig& run = request.run;
  if (run.numerics_version != experiments::kNumericsVersion) {
    cluster::throw_environment(
        "the run was planned by a program of numerics version " +
        std::to_string(run.numerics_version) + ", this one computes version " +
        std::to_string(experiments::kNumericsVersion) + ": start the sweep again");
  }
  const double began = cluster::monotonic_seconds();
  Pace(sink, "load").report(0, 1);
  const BaseModel& base = base_for(request);
  const FeatureNetwork& network = network_for(request, base);
  RunAttempt attempt({request, folder, base, tokenizer_, network, threads_, device_, began}, gang,
                     sink);
  return attempt.run();
}

}  // namespace marquee::workers
