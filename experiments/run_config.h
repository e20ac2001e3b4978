// One fully resolved run, and its id: the SHA-256 of the configuration in canonical form.
//
// Canonical form: JSON with sorted keys; keys at their frozen default and keys that the method does
// not read are left out; data and base appear as content hashes. A default here is never changed: a
// new value gets a new key or a raised numerics_version. Pinned by
// tests/experiments/run_config_test.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "datasets/data_folder.h"

namespace marquee::experiments {

// What this program computes: raised when the same configuration gives other numbers. 2: images are
// tokenised one by one, whatever else is asked for, and not rounded to levels before. 3: logits of
// a training step are computed at masked positions alone.
inline constexpr int kNumericsVersion = 3;

inline constexpr int kMaxSteps = 100'000'000;
inline constexpr int kMaxPriority = 1000;

struct RunConfig {
  // What is compared.
  std::string task;    // datasets::find_task
  std::string shots;   // "5", "vtab1k", "full"
  std::string method;  // see method_names()
  std::uint64_t seed = 0;
  std::string base = "mini";
  std::string profile = "mini";
  std::string protocol = "mini-v0";  // how metrics are computed (protocols.h)

  // Prompt generator (method prompt; docs/method.md).
  std::string prompt_kind = "additive";  // factorised, free
  int prompt_length = 8;                 // S
  int factors = 0;                       // F of kind factorised
  std::string conditions = "class";      // instance, both, none: what the generator is told
  double instance_dropout = 0.1;         // how often the instance is left out while training
  bool hidden_mapping = false;           // a Dense of width D behind the LayerNorm
  // Prompts that change from decoding step to decoding step (waypoints.h).
  std::string marquee = "none";
  int marquee_waypoints = 2;                // where each image draws its own
  std::string marquee_schedule = "linear";  // cosine, step
  std::string marquee_space = "token";      // embedding

  int lora_rank = 8;  // method lora

  // Tuning.
  int steps = 300;
  int epochs = 0;               // steps, said in passes over the training images; 0: steps says it
  double learning_rate = 1e-3;  // peak; cosine to zero
  int batch = 32;
  int micro_batches = 2;  // gradients are added by a tree over these; a power of two
  double weight_decay = 0.0;
  double label_smoothing = 0.1;
  double dropout = 0.1;              // of prompts
  std::string masking = "released";  // one mask rate a step; per_sample: one a sample
  std::string mask_schedule = "cosine";
  bool flip = true;        // half of the images mirrored (datasets::flips)
  int crops = 1;           // views of an image: 1 the centre, more at random places
  int early_stopping = 0;  // steps from one look at val200 to the next; 0: none
  int patience = 5;        // looks without a smaller loss that end the tuning

  // Generation and scoring.
  int decode_steps = 8;
  double choice_temperature = 4.5;
  double temperature = 1.0;  // of an autoregressive base; 0: the most likely token
  int top_k = 0;             // of its tokens only the k most likely; 0: all
  double top_p = 1.0;        // of those the most likely with this share of the probability
  std::string sample_instances = "drawn";  // none: images of a class alone
  int decode_batch = 50;
  int samples = 1000;
  std::string reference =
      "test";  // split that is compared with; val200 or val to choose settings by

  // How the data are read.
  std::string decode = "accurate";       // of JPEG; tensorflow: its default, a little darker
  std::string on_bad_record = "refuse";  // skip: leave out, count and say so

  // How it is computed.
  int threads = 1;
  std::string compute = "fp32";  // of the transformer; bf16: weights and activations, nothing else
  int numerics_version = 1;      // kNumericsVersion, once resolve_hashes has seen the run

  // Filled by resolve_hashes.
  std::string base_hash, network_hash, data_hash;
  std::string family = "masked";  // of the base's transformer
  int num_classes = 0;            // of a user's own images; 0 where the task says it

  // Not in the id.
  int checkpoint_interval = 50;
  bool recompute_activations = false;  // less memory, more time, the same bits
  int gang = 1;           // trainers that tune together, the same bits; a power of two that divides
                          // micro_batches
  int priority = 0;       // runs with a higher one start first
  std::string slot_kind;  // pattern of the device that it may run on; "": any
  double slot_memory = 0.0;  // GiB that its slot must have; 0: any

  bool operator==(const RunConfig&) const = default;
};

// 64 hex digits.
class RunId {
 public:
  explicit RunId(std::string text);  // throws usage for anything else
  const std::string& text() const { return text_; }
  std::string short_text() const { return text_.substr(0, 12); }
  auto operator<=>(const RunId&) const = default;

 private:
  std::string text_;
};

// prompt, finetune, scratch, lora, linear_class, none, and the oracle rows oracle_real and
// oracle_reconstruction.
const std::vector<std::string>& method_names();
bool is_oracle(const RunConfig& run);
bool trains(const RunConfig& run);  // takes tuning steps
bool has_prompt(
    const RunConfig& run);            // what it trains is a file for others: marquee export prompt
int gang_size(const RunConfig& run);  // slots that it takes: 1 where nothing is tuned
// Whether its prompt generator is told classes, and training instances.
bool knows_classes(const RunConfig& run);
bool knows_instances(const RunConfig& run);
// Forward passes that generating an image takes: with its cache an autoregressive base feeds each
// token once.
int passes_per_image(const RunConfig& run);
// Of the run's task, or of its own images once resolve_hashes has looked at them.
int num_classes(const RunConfig& run);
// `path` and `cache` with the run's rules for reading.
datasets::DataFolder data_folder(const RunConfig& run, const std::filesystem::path& path,
                                 const std::filesystem::path& cache);

nlohmann::json to_json(const RunConfig& run);        // every key
nlohmann::json to_short_json(const RunConfig& run);  // keys that differ from their default
// Reads both. Throws usage naming the key for an unknown or ill-typed one; missing keys keep their
// defaults.
RunConfig run_config_from_json(const nlohmann::json& content);
// Sets one key. Throws usage for an unknown one and for a value of the wrong type.
void set_value(RunConfig& run, const std::string& key, const nlohmann::json& value);
// Throws usage naming key, value and what was expected for values that no run can have.
void check_run(const RunConfig& run);

std::string canonical_form(const RunConfig& run);
// Equal for runs whose canonical forms differ in the seed alone; much cheaper. Of this process: not
// to be stored.
std::uint64_t hash_but_for_seed(const RunConfig& run);
// Keys off their default that only autoregressive bases read, whatever the run's family.
nlohmann::json autoregressive_settings(const RunConfig& run);
RunId run_id(const RunConfig& run);
std::string to_yaml(const RunConfig& run);

}  // namespace marquee::experiments
