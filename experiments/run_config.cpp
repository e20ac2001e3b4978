#include "experiments/run_config.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "cluster/error.h"
#include "cluster/sha256.h"
#include "cluster/suggest.h"
#include "datasets/task.h"
#include "experiments/base_manifest.h"

namespace marquee::experiments {
namespace {

using nlohmann::json;

// Who reads a key: decides whether it counts in the id of a method.
enum class Reader {
  every,
  prompt,
  factorised,
  instances,
  marquee,
  lora,
  training,
  stopping,
  generating,
  masking,
  masked,
  autoregressive,
  bookkeeping
};

bool reads(Reader reader, const RunConfig& run) {
  switch (reader) {
    case Reader::every:
      return true;
    case Reader::prompt:
      return run.method == "prompt";
    case Reader::factorised:
      return run.method == "prompt" && run.prompt_kind == "factorised";
    case Reader::instances:
      return knows_instances(run);
    case Reader::marquee:
      return run.method == "prompt" && run.marquee != "none";
    case Reader::lora:
      return run.method == "lora";
    case Reader::training:
      return trains(run);
    case Reader::stopping:
      return trains(run) && run.early_stopping > 0;
    case Reader::generating:
      return !is_oracle(run);
    case Reader::masking:
      return trains(run) && run.family == kMasked;
    case Reader::masked:
      return !is_oracle(run) && run.family == kMasked;
    case Reader::autoregressive:
      return !is_oracle(run) && run.family == kAutoregressive;
    case Reader::bookkeeping:
      break;
  }
  return false;
}

// Calls `visit(key, member, reader)` for every key, in one place for reading, writing and hashing.
template <typename Run, typename Visit>
void visit_keys(Run& run, Visit visit) {
  visit("task", run.task, Reader::every);
  visit("shots", run.shots, Reader::every);
  visit("method", run.method, Reader::every);
  visit("seed", run.seed, Reader::every);
  visit("base", run.base, Reader::bookkeeping);  // its content hash counts
  visit("profile", run.profile, Reader::every);
  visit("protocol", run.protocol, Reader::every);
  visit("prompt_kind", run.prompt_kind, Reader::prompt);
  visit("prompt_length", run.prompt_length, Reader::prompt);
  visit("factors", run.factors, Reader::factorised);
  visit("conditions", run.conditions, Reader::prompt);
  visit("instance_dropout", run.instance_dropout, Reader::instances);
  visit("hidden_mapping", run.hidden_mapping, Reader::prompt);
  visit("marquee", run.marquee, Reader::prompt);
  visit("marquee_waypoints", run.marquee_waypoints, Reader::marquee);
  visit("marquee_schedule", run.marquee_schedule, Reader::marquee);
  visit("marquee_space", run.marquee_space, Reader::marquee);
  visit("lora_rank", run.lora_rank, Reader::lora);
  visit("steps", run.steps, Reader::training);
  visit("epochs", run.epochs, Reader::bookkeeping);  // steps counts
  visit("learning_rate", run.learning_rate, Reader::training);
  visit("batch", run.batch, Reader::training);
  visit("micro_batches", run.micro_batches, Reader::training);
  visit("weight_decay", run.weight_decay, Reader::training);
  visit("label_smoothing", run.label_smoothing, Reader::training);
  visit("dropout", run.dropout, Reader::prompt);
  visit("masking", run.masking, Reader::masking);
  visit("mask_schedule", run.mask_schedule, Reader::masked);
  visit("flip", run.flip, Reader::training);
  visit("crops", run.crops, Reader::training);
  visit("early_stopping", run.early_stopping, Reader::stopping);
  visit("patience", run.patience, Reader::stopping);
  visit("decode_steps", run.decode_steps, Reader::masked);
  visit("choice_temperature", run.choice_temperature, Reader::masked);
  visit("temperature", run.temperature, Reader::autoregressive);
  visit("top_k", run.top_k, Reader::autoregressive);
  visit("top_p", run.top_p, Reader::autoregressive);
  visit("sample_instances", run.sample_instances, Reader::instances);
  visit("decode_batch", run.decode_batch, Reader::generating);
  visit("samples", run.samples, Reader::every);
  visit("reference", run.reference, Reader::every);
  visit("decode", run.decode, Reader::every);
  visit("on_bad_record", run.on_bad_record, Reader::every);
  visit("threads", run.threads, Reader::every);
  visit("compute", run.compute, Reader::every);
  visit("numerics_version", run.numerics_version, Reader::every);
  visit("base_hash", run.base_hash, Reader::every);
  visit("network_hash", run.network_hash, Reader::every);
  visit("data_hash", run.data_hash, Reader::every);
  visit("family", run.family, Reader::bookkeeping);            // base_hash counts
  visit("num_classes", run.num_classes, Reader::bookkeeping);  // data_hash counts
  visit("checkpoint_interval", run.checkpoint_interval, Reader::bookkeeping);
  visit("recompute_activations", run.recompute_activations, Reader::bookkeeping);
  visit("gang", run.gang, Reader::bookkeeping);
  visit("priority", run.priority, Reader::bookkeeping);
  visit("slot_kind", run.slot_kind, Reader::bookkeeping);
  visit("slot_memory", run.slot_memory, Reader::bookkeeping);
}

// The same for the keys whose value is not the default.
template <typename Visit>
void visit_changed(const RunConfig& run, Visit visit) {
  static const RunConfig kDefaults;
  static const std::vector<const void*> kUsual = [] {
    std::vector<const void*> members;
    visit_keys(kDefaults,
               [&](const char*, const auto& member, Reader) { members.push_back(&member); });
    return members;
  }();
  std::size_t at = 0;
  visit_keys(run, [&](const char* key, const auto& member, Reader reader) {
    // Both visits go through the members in one order.
    using Member = std::decay_t<decltype(member)>;
    if (member != *static_cast<const Member*>(kUsual[at++])) visit(key, member, reader);
  });
}

void read_value(const json& value, std::string& out) {
  if (!value.is_string()) throw std::domain_error("expected text");
  out = value.get<std::string>();
}
void read_value(const json& value, bool& out) {
  if (!value.is_boolean()) throw std::domain_error("expected true or false");
  out = value.get<bool>();
}
void read_value(const json& value, int& out) {
  if (!value.is_number_integer()) throw std::domain_error("expected a whole number");
  const auto wide = value.get<std::int64_t>();
  if (wide < INT32_MIN || wide > INT32_MAX) throw std::domain_error("number too large");
  out = static_cast<int>(wide);
}
void read_value(const json& value, std::uint64_t& out) {
  const bool whole =
      value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
  if (!whole) throw std::domain_error("expected a number from 0 up");
  out = value.get<std::uint64_t>();
}
void read_value(const json& value, double& out) {
  if (!value.is_number()) throw std::domain_error("expected a number");
  out = value.get<double>();
}

std::vector<std::string> key_names() {
  std::vector<std::string> names;
  RunConfig run;
  visit_keys(run, [&](const char* key, auto&, Reader) { names.emplace_back(key); });
  return names;
}

template <typename Member>
void read_key(const char* key, const json& value, Member& member) {
  try {
    read_value(value, member);
  } catch (const std::exception& error) {
    cluster::throw_usage("run key '" + std::string(key) + "' has the value " + value.dump() +
                         " of the wrong type: " + error.what());
  }
}

[[noreturn]] void refuse_unknown(const std::string& key) {
  cluster::throw_usage("unknown run key '" + key + "'" + cluster::did_you_mean(key, key_names()));
}

}  // namespace

RunId::RunId(std::string text) : text_(std::move(text)) {
  if (!cluster::is_sha256_hex(text_))
    cluster::throw_usage("'" + text_ + "' is no run id (64 hex digits)");
}

const std::vector<std::string>& method_names() {
  static const std::vector<std::string> names{
      "prompt",       "finetune", "scratch",     "lora",
      "linear_class", "none",     "oracle_real", "oracle_reconstruction"};
  return names;
}

bool is_oracle(const RunConfig& run) {
  return run.method.starts_with("oracle_");
}
bool trains(const RunConfig& run) {
  return !is_oracle(run) && run.method != "none";
}
bool has_prompt(const RunConfig& run) {
  return run.method == "prompt" || run.method == "linear_class" || run.method == "lora";
}
int gang_size(const RunConfig& run) {
  return trains(run) ? run.gang : 1;
}

bool knows_classes(const RunConfig& run) {
  return run.method == "prompt" && (run.conditions == "class" || run.conditions == "both");
}
bool knows_instances(const RunConfig& run) {
  return run.method == "prompt" && (run.conditions == "instance" || run.conditions == "both");
}

int passes_per_image(const RunConfig& run) {
  return run.family == kAutoregressive ? 1 : run.decode_steps;
}

int num_classes(const RunConfig& run) {
  const int declared = datasets::find_task(run.task).num_classes;
  return declared > 0 ? declared : run.num_classes;
}

datasets::DataFolder data_folder(const RunConfig& run, const std::filesystem::path& path,
                                 const std::filesystem::path& cache) {
  datasets::DataFolder data(path, cache);
  data.fast_dct = run.decode == "tensorflow";
  if (run.on_bad_record == "skip") data.bad_records = datasets::BadRecords::skip;
  return data;
}

json to_json(const RunConfig& run) {
  json content;
  visit_keys(run, [&](const char* key, const auto& value, Reader) { content[key] = value; });
  return content;
}

json to_short_json(const RunConfig& run) {
  json content = json::object();
  visit_changed(run, [&](const char* key, const auto& value, Reader) { content[key] = value; });
  return content;
}

void set_value(RunConfig& run, const std::string& key, const json& value) {
  static const std::unordered_map<std::string, std::size_t> kPlaces = [] {
    std::unordered_map<std::string, std::size_t> places;
    for (const std::string& name : key_names()) places.emplace(name, places.size());
    return places;
  }();
  const auto found = kPlaces.find(key);
  if (found == kPlaces.end()) refuse_unknown(key);
  std::size_t at = 0;
  visit_keys(run, [&](const char* name, auto& member, Reader) {
    if (at++ == found->second) read_key(name, value, member);
  });
}

RunConfig run_config_from_json(const json& content) {
  if (!content.is_object()) cluster::throw_usage("a run must be an object of keys and values");
  RunConfig run;
  std::size_t known = 0;
  visit_keys(run, [&](const char* key, auto& member, Reader) {
    const auto found = content.find(key);
    if (found == content.end()) return;
    ++known;
    read_key(key, *found, member);
  });
  if (known == content.size()) return run;
  const std::vector<std::string> names = key_names();
  for (const auto& [key, value] : content.items())
    if (std::find(names.begin(), names.end(), key) == names.end()) refuse_unknown(key);
  return run;
}

std::string canonical_form(const RunConfig& run) {
  json content = json::object();
  visit_changed(run, [&](const char* key, const auto& value, Reader reader) {
    if (reads(reader, run)) content[key] = value;
  });
  return content.dump();
}

std::uint64_t hash_but_for_seed(const RunConfig& run) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ULL;
  constexpr unsigned kShift = 29;
  std::uint64_t hash = 0;
  visit_keys(run, [&](const char*, const auto& value, Reader reader) {
    using Member = std::decay_t<decltype(value)>;
    if (static_cast<const void*>(&value) == &run.seed || !reads(reader, run)) return;
    hash = (hash ^ std::hash<Member>()(value)) * kOdd;
    hash ^= hash >> kShift;
  });
  return hash;
}

json autoregressive_settings(const RunConfig& run) {
  json content = json::object();
  visit_changed(run, [&](const char* key, const auto& value, Reader reader) {
    if (reader == Reader::autoregressive) content[key] = value;
  });
  return content;
}

RunId run_id(const RunConfig& run) {
  return RunId(cluster::sha256_hex("marquee run\n" + canonical_form(run)));
}

std::string to_yaml(const RunConfig& run) {
  // JSON scalars are YAML scalars.
  std::string text = "# run " + run_id(run).text() + "\n";
  visit_keys(run, [&](const char* key, const auto& value, Reader) {
    text += std::string(key) + ": " + json(value).dump() + "\n";
  });
  return text;
}

}  // namespace marquee::experiments
