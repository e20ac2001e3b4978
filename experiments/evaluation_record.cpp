#include "experiments/evaluation_record.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/sha256.h"
#include "cluster/text.h"
#include "experiments/run_config.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFolder = "evaluations";
constexpr std::size_t kIdDigits = 32, kMostText = 4096, kMostMetrics = 100;
constexpr std::uintmax_t kMostBytes = 1 << 20;

// Members that are texts, by their names in the file.
constexpr std::pair<const char*, std::string EvaluationRecord::*> kTexts[] = {
    {"name", &EvaluationRecord::name},
    {"citation", &EvaluationRecord::citation},
    {"task", &EvaluationRecord::task},
    {"shots", &EvaluationRecord::shots},
    {"generated", &EvaluationRecord::generated},
    {"reference", &EvaluationRecord::reference},
    {"generated_hash", &EvaluationRecord::generated_hash},
    {"reference_hash", &EvaluationRecord::reference_hash},
    {"protocol", &EvaluationRecord::protocol},
    {"network", &EvaluationRecord::network},
    {"network_hash", &EvaluationRecord::network_hash},
    {"input_rule", &EvaluationRecord::input_rule},
    {"made", &EvaluationRecord::made},
    {"commit", &EvaluationRecord::commit},
};

// Throws environment naming the key.
EvaluationRecord evaluation_from_json(const json& content) {
  const auto refuse = [](const std::string& what) {
    cluster::throw_environment("no evaluation: " + what);
  };
  EvaluationRecord evaluation;
  try {
    for (const auto& [key, member] : kTexts) {
      evaluation.*member = content.at(key).get<std::string>();
      if ((evaluation.*member).size() > kMostText || cluster::invalid_utf8(evaluation.*member))
        refuse(std::string(key) + " is above 4,096 bytes or no UTF-8");
    }
    evaluation.run_id = content.value("run_id", "");
    evaluation.attempt = content.value("attempt", 0);
    evaluation.seed = content.at("seed").get<std::uint64_t>();
    evaluation.metrics = metrics_from_json(content.at("metrics"));
  } catch (const json::exception& error) {
    refuse(error.what());
  }
  if (evaluation.name.empty()) refuse("name is empty");
  if (!evaluation.run_id.empty()) const RunId whole(evaluation.run_id);  // throws otherwise
  if (evaluation.attempt < 0) refuse("attempt is below 0");
  if (evaluation.metrics.empty() || evaluation.metrics.size() > kMostMetrics)
    refuse("metrics must be a list of 1 to 100");
  for (const MetricValue& metric : evaluation.metrics) {
    if (metric.protocol != evaluation.protocol)
      refuse("metric " + cluster::printable(metric.metric) +
             " is of another protocol than the rest");
    if (metric.network_hash.empty() || metric.network_hash.size() > kMostText ||
        cluster::invalid_utf8(metric.network_hash))
      refuse("metric " + cluster::printable(metric.metric) +
             " has no network_hash, one above 4,096 bytes or one that is no UTF-8");
  }
  return evaluation;
}

}  // namespace

std::string evaluation_id(const EvaluationRecord& evaluation) {
  json identity = json::array();
  for (const std::string& part :
       {evaluation.name, evaluation.task, evaluation.shots, evaluation.generated_hash,
        evaluation.reference_hash, evaluation.protocol, evaluation.network_hash,
        evaluation.input_rule, std::to_string(evaluation.seed)})
    identity.push_back(part);
  // Networks beside the one of the rest, in the order of the metrics.
  std::set<std::string> others{evaluation.network_hash};
  for (const MetricValue& metric : evaluation.metrics)
    if (others.insert(metric.network_hash).second) identity.push_back(metric.network_hash);
  return cluster::sha256_hex(identity.dump()).substr(0, kIdDigits);
}

bool is_evaluation_id(const std::string& text) {
  return text.size() == kIdDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

json to_json(const EvaluationRecord& evaluation) {
  json content{{"seed", evaluation.seed}, {"metrics", to_json(evaluation.metrics)}};
  for (const auto& [key, member] : kTexts) content[key] = evaluation.*member;
  if (!evaluation.run_id.empty()) {
    content["run_id"] = evaluation.run_id;
    content["attempt"] = evaluation.attempt;
  }
  return content;
}

std::string write_evaluation(const fs::path& results, const EvaluationRecord& evaluation) {
  const std::string id = evaluation_id(evaluation);
  cluster::create_directories_durably(results / kFolder);
  cluster::write_file_durably(results / kFolder / (id + ".json"),
                              to_json(evaluation).dump(2) + "\n");
  return id;
}

EvaluationRecord read_evaluation(const fs::path& results, const std::string& id) {
  const fs::path file = results / kFolder / (id + ".json");
  try {
    const EvaluationRecord evaluation = evaluation_from_json(
        json::parse(cluster::read_file(file, kMostBytes), nullptr, /*allow_exceptions=*/false));
    if (evaluation_id(evaluation) != id)
      cluster::throw_environment("holds evaluation " + evaluation_id(evaluation));
    return evaluation;
  } catch (const cluster::Error& error) {
    cluster::throw_environment(file.string() + ": " + error.what());
  }
}

std::vector<std::string> stored_evaluations(const fs::path& results) {
  std::vector<std::string> ids;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(results / kFolder, error)) {
    const std::string id = file.path().stem().string();
    if (file.path().extension() == ".json" && is_evaluation_id(id)) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace marquee::experiments
