// What a finished run reports: metrics, hashes of what it made, and how it was made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace marquee::experiments {

struct MetricValue {
  std::string metric;  // fid, precision, ...: those of experiments/protocols.h, memorisation,
                       // label_accuracy
  double value = 0;
  std::optional<double> standard_error;
  std::int64_t n_generated = 0;
  std::int64_t n_reference = 0;
  std::string protocol;
  std::string network_hash;
  bool operator==(const MetricValue&) const = default;
};

struct ResultRecord {
  std::vector<MetricValue> metrics;
  std::int64_t trainable_parameters = 0;
  double seconds = 0;          // wall clock of the attempt that finished
  std::string result_sha256;   // seal of result.h5
  std::string prompt_sha256;   // trained tensors; empty where nothing is trained
  std::string tokens_sha256;   // generated tokens; empty for oracle rows
  nlohmann::json class_prior;  // share of each label among the generated images
  nlohmann::json fingerprint;  // device, instruction set, versions, threads
  nlohmann::json provenance;
};

nlohmann::json to_json(const std::vector<MetricValue>& metrics);
// Throws json::exception.
std::vector<MetricValue> metrics_from_json(const nlohmann::json& content);
nlohmann::json to_json(const ResultRecord& record);
// Throws environment naming the key.
ResultRecord result_record_from_json(const nlohmann::json& content);

}  // namespace marquee::experiments
