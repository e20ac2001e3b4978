// What `marquee evaluate --out` leaves in a results folder: the metrics of images that no run here
// has made. Each is a file, results/evaluations/<id>.json (docs/file-formats.md), which the ledger
// takes in through the inbox and can be rebuilt from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/result_record.h"

namespace marquee::experiments {

struct EvaluationRecord {
  std::string name;                            // of the generator: "MineGAN"
  std::string citation;                        // free text; may be empty
  std::string task, shots;                     // what it was adapted to; may be empty
  std::string generated, reference;            // as the user named them
  std::string generated_hash, reference_hash;  // of the images, or of the statistics file
  std::string protocol, network, network_hash, input_rule;
  std::string run_id{};  // whose images they are; empty: none of this program's
  int attempt = 0;       // of that run; 0: unknown
  std::uint64_t seed = 0;
  std::string made, commit;  // UTC; of the program
  std::vector<MetricValue> metrics;
};

// Of what was measured and how, not of when: measured again, it is the same evaluation.
std::string evaluation_id(const EvaluationRecord& evaluation);  // 32 hex digits

nlohmann::json to_json(const EvaluationRecord& evaluation);

// Durable. Returns its id.
std::string write_evaluation(const std::filesystem::path& results,
                             const EvaluationRecord& evaluation);
// Throws environment naming the file, and the key; also where the content does not have the id of
// its name.
EvaluationRecord read_evaluation(const std::filesystem::path& results, const std::string& id);
// Ids of the files that are there.
std::vector<std::string> stored_evaluations(const std::filesystem::path& results);
bool is_evaluation_id(const std::string& text);

}  // namespace marquee::experiments
