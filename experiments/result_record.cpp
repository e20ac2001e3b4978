#include "experiments/result_record.h"

#include "cluster/error.h"

namespace marquee::experiments {

using nlohmann::json;

json to_json(const std::vector<MetricValue>& metrics) {
  json list = json::array();
  for (const MetricValue& metric : metrics) {
    list.push_back(
        {{"metric", metric.metric},
         {"value", metric.value},
         {"standard_error", metric.standard_error ? json(*metric.standard_error) : json()},
         {"n_generated", metric.n_generated},
         {"n_reference", metric.n_reference},
         {"protocol", metric.protocol},
         {"network_hash", metric.network_hash}});
  }
  return list;
}

std::vector<MetricValue> metrics_from_json(const json& content) {
  std::vector<MetricValue> metrics;
  for (const json& entry : content) {
    MetricValue metric;
    metric.metric = entry.at("metric");
    metric.value = entry.at("value");
    if (!entry.at("standard_error").is_null())
      metric.standard_error = entry.at("standard_error").get<double>();
    metric.n_generated = entry.at("n_generated");
    metric.n_reference = entry.at("n_reference");
    metric.protocol = entry.at("protocol");
    metric.network_hash = entry.at("network_hash");
    metrics.push_back(std::move(metric));
  }
  return metrics;
}

json to_json(const ResultRecord& record) {
  return {{"metrics", to_json(record.metrics)},
          {"trainable_parameters", record.trainable_parameters},
          {"seconds", record.seconds},
          {"result_sha256", record.result_sha256},
          {"prompt_sha256", record.prompt_sha256},
          {"tokens_sha256", record.tokens_sha256},
          {"class_prior", record.class_prior},
          {"fingerprint", record.fingerprint},
          {"provenance", record.provenance}};
}

ResultRecord result_record_from_json(const json& content) {
  ResultRecord record;
  try {
    record.metrics = metrics_from_json(content.at("metrics"));
    record.trainable_parameters = content.at("trainable_parameters");
    record.seconds = content.at("seconds");
    record.result_sha256 = content.at("result_sha256");
    record.prompt_sha256 = content.at("prompt_sha256");
    record.tokens_sha256 = content.at("tokens_sha256");
    record.class_prior = content.at("class_prior");
    record.fingerprint = content.at("fingerprint");
    record.provenance = content.at("provenance");
  } catch (const json::exception& error) {
    cluster::throw_environment(std::string("result record: ") + error.what());
  }
  return record;
}

}  // namespace marquee::experiments
