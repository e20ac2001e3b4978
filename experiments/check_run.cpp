// Which values a run can have.
#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "cluster/suggest.h"
#include "cluster/text.h"
#include "datasets/shots.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"
#include "experiments/key_words.h"
#include "experiments/run_config.h"
#include "experiments/waypoints.h"

namespace marquee::experiments {
using nlohmann::json;

void check_run(const RunConfig& run) {
  const auto fail = [](const std::string& key, const std::string& value,
                       const std::string& expected) {
    cluster::throw_usage("'" + key + "' is " + value + "; expected " + expected);
  };
  const auto one_of = [&](const char* key, const std::string& value) {
    const std::vector<std::string>& words = key_words(key);
    if (std::find(words.begin(), words.end(), value) != words.end()) return;
    fail(key, "'" + value + "'" + cluster::did_you_mean(value, words),
         "one of " + cluster::join(words));
  };
  const auto within = [&](const char* key, double value, double low, double high) {
    if (!(value >= low && value <= high)) {
      fail(key, json(value).dump(),
           "a number from " + json(low).dump() + " to " + json(high).dump());
    }
  };
  datasets::find_task(run.task);
  static_cast<void>(datasets::shots_per_class(run.shots));
  // The database holds signed numbers.
  if (run.seed > static_cast<std::uint64_t>(INT64_MAX)) {
    fail("seed", std::to_string(run.seed), "a whole number from 0 to " + std::to_string(INT64_MAX));
  }
  one_of("method", run.method);
  one_of("profile", run.profile);
  one_of("protocol", run.protocol);
  one_of("prompt_kind", run.prompt_kind);
  one_of("conditions", run.conditions);
  one_of("marquee_schedule", run.marquee_schedule);
  one_of("marquee_space", run.marquee_space);
  one_of("sample_instances", run.sample_instances);
  one_of("masking", run.masking);
  one_of("mask_schedule", run.mask_schedule);
  one_of("reference", run.reference);
  one_of("compute", run.compute);
  one_of("family", run.family);
  one_of("decode", run.decode);
  one_of("on_bad_record", run.on_bad_record);
  within("prompt_length", run.prompt_length, 1, 4096);
  const bool factorised = run.method == "prompt" && run.prompt_kind == "factorised";
  within("factors", run.factors, factorised ? 1 : 0, 64);
  within("instance_dropout", run.instance_dropout, 0, 0.99);
  within("marquee_waypoints", run.marquee_waypoints, 2, kMaxWaypoints);
  if (run.method == "prompt") check_waypoints(run);
  within("lora_rank", run.lora_rank, 1, 1024);
  within("steps", run.steps, 1, kMaxSteps);
  within("epochs", run.epochs, 0, 1'000'000);
  within("early_stopping", run.early_stopping, 0, kMaxSteps);
  within("patience", run.patience, 1, 1'000'000);
  if (run.early_stopping > 0 && trains(run) && datasets::shots_per_class(run.shots) == 0) {
    fail("early_stopping", std::to_string(run.early_stopping),
         "0 with shots " + run.shots + ", which hold the images of val200");
  }
  within("learning_rate", run.learning_rate, 0, 10);
  within("batch", run.batch, 1, 65536);
  within("micro_batches", run.micro_batches, 1, 4096);
  if (!std::has_single_bit(static_cast<unsigned>(run.micro_batches)) ||
      run.batch % run.micro_batches != 0) {
    fail("micro_batches", std::to_string(run.micro_batches),
         "a power of two that divides batch (" + std::to_string(run.batch) + ")");
  }
  within("gang", run.gang, 1, 4096);
  if (!std::has_single_bit(static_cast<unsigned>(run.gang)) ||
      run.micro_batches % gang_size(run) != 0) {
    fail("gang", std::to_string(run.gang),
         "a power of two that divides micro_batches (" + std::to_string(run.micro_batches) + ")");
  }
  within("priority", run.priority, -kMaxPriority, kMaxPriority);
  constexpr std::size_t kLongestKind = 100;
  if (run.slot_kind.size() > kLongestKind || cluster::printable(run.slot_kind) != run.slot_kind) {
    fail("slot_kind", "'" + cluster::printable(run.slot_kind) + "'",
         "at most " + std::to_string(kLongestKind) + " printable characters, such as '*H100*'");
  }
  within("slot_memory", run.slot_memory, 0, 1 << 20);
  within("weight_decay", run.weight_decay, 0, 1);
  within("label_smoothing", run.label_smoothing, 0, 0.99);
  within("dropout", run.dropout, 0, 0.99);
  within("decode_steps", run.decode_steps, 1, 1024);
  within("choice_temperature", run.choice_temperature, 0, 1000);
  within("temperature", run.temperature, 0, 1000);
  within("top_k", run.top_k, 0, 1 << 20);
  within("top_p", run.top_p, 0, 1);
  within("decode_batch", run.decode_batch, 1, 4096);
  within("samples", run.samples, 8, 1'000'000);
  within("crops", run.crops, 1, 256);
  within("threads", run.threads, 1, 1024);
  within("checkpoint_interval", run.checkpoint_interval, 1, 1'000'000);
  if (run.profile == "mini" && run.task == "caltech101") {
    cluster::throw_usage(
        "task 'caltech101' with profile mini: the mini base is pretrained on those images, so the "
        "result would mean nothing");
  }
}

}  // namespace marquee::experiments
