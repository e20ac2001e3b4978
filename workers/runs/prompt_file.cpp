#include "workers/runs/prompt_file.h"

#include "cluster/build_info.h"
#include "cluster/error.h"
#include "cluster/mapped_file.h"
#include "workers/safetensors.h"
#include "workers/tuning/subjects.h"
#include "workers/weight_files/safetensors_file.h"

namespace marquee::workers {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "marquee prompt";
constexpr int kFileVersion = 1;
constexpr const char* kCard = "card";
constexpr const char* kInstanceLabels = "training/labels";
constexpr const char* kPromptClassCounts = "reference/class_counts";

json card_of(const PromptFile& prompt) {
  const experiments::RunConfig& run = prompt.run;
  return {{"format", kFormat},
          {"version", kFileVersion},
          {"made_by", "marquee " + std::string(cluster::build_version())},
          {"base", {{"name", run.base}, {"hash", run.base_hash}, {"family", run.family}}},
          {"task", run.task},
          {"classes", prompt.classes},
          {"shots", run.shots},
          {"method", run.method},
          {"trained_numbers", count_parameters(prompt.trained)},
          {"run_id", experiments::run_id(run).text()},
          {"run", experiments::to_json(run)},
          {"metrics", experiments::to_json(prompt.metrics)}};
}

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& reason) {
  cluster::throw_environment(path.string() + ": is no prompt file of marquee: " + reason);
}

json card_in(const WeightFile& file, const std::filesystem::path& path) {
  const auto text = file.metadata.find(kCard);
  if (text == file.metadata.end()) refuse(path, "its metadata hold no card");
  json card = json::parse(text->second, nullptr, /*allow_exceptions=*/false);
  if (!card.is_object() || card.value("format", json()) != kFormat)
    refuse(path, "its card is damaged");
  if (card.value("version", json()) != kFileVersion)
    refuse(path, "its card has version " + card.value("version", json()).dump() + "; expected " +
                     std::to_string(kFileVersion));
  return card;
}

// Everything of the card that is used, checked.
PromptFile described(const json& card, const std::filesystem::path& path) {
  PromptFile prompt;
  try {
    prompt.run = experiments::run_config_from_json(card.at("run"));
    experiments::check_run(prompt.run);
    prompt.classes = experiments::num_classes(prompt.run);
  } catch (const std::exception& error) {
    refuse(path, error.what());
  }
  if (prompt.classes < 1)
    refuse(path, "its card says " + std::to_string(prompt.classes) + " classes");
  return prompt;
}

}  // namespace

std::string write_prompt_file(const std::filesystem::path& path, const PromptFile& prompt) {
  if (!experiments::has_prompt(prompt.run)) {
    cluster::throw_usage("a run of method " + prompt.run.method +
                         " has no prompt to export; expected prompt, linear_class or lora");
  }
  ParameterMap tensors = prompt.trained;
  if (prompt.instance_labels.defined())
    tensors[kInstanceLabels] = prompt.instance_labels.to(torch::kInt32);
  if (!prompt.class_counts.empty())
    tensors[kPromptClassCounts] = torch::tensor(prompt.class_counts).to(torch::kInt32);
  return write_safetensors(path, tensors, {{kCard, card_of(prompt).dump()}});
}

json read_prompt_card(const std::filesystem::path& path) {
  const auto file = cluster::MappedFile::open(path);
  return card_in(parse_safetensors(file->bytes(), path.string()), path);
}

PromptFile read_prompt_file(const std::filesystem::path& path) {
  PromptFile prompt = described(read_prompt_card(path), path);
  prompt.trained = read_safetensors(path);
  const auto labels = prompt.trained.find(kInstanceLabels);
  if (labels != prompt.trained.end()) {
    prompt.instance_labels = labels->second.to(torch::kInt64);
    prompt.trained.erase(labels);
    const bool fit = prompt.instance_labels.dim() == 1 && prompt.instance_labels.numel() > 0 &&
                     prompt.instance_labels.min().item<std::int64_t>() >= 0 &&
                     prompt.instance_labels.max().item<std::int64_t>() < prompt.classes;
    if (!fit) refuse(path, std::string("'") + kInstanceLabels + "' are no labels of its classes");
  } else if (experiments::knows_instances(prompt.run)) {
    refuse(path, std::string("'") + kInstanceLabels + "' is missing");
  }
  if (const auto counts = prompt.trained.find(kPromptClassCounts); counts != prompt.trained.end()) {
    prompt.class_counts = class_counts_from(counts->second, prompt.classes,
                                            path.string() + ": '" + kPromptClassCounts + "'");
    prompt.trained.erase(counts);
  }
  return prompt;
}

}  // namespace marquee::workers
