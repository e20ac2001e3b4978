#include "analysis/report/datasette.h"

#include <nlohmann/json.hpp>

#include "analysis/report/named_queries.h"
#include "cluster/durable_file.h"

namespace marquee::analysis {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kMaxBytes = std::uintmax_t{1} << 20;

const json& columns() {
  static const json texts = {
      {"shots", "images a class, or vtab1k, full"},
      {"method", "prompt, finetune, scratch, lora, linear_class, none; oracle_* are real images"},
      {"status", "pending, running, done, failed, cancelled"},
      {"protocol", "how metrics are computed; numbers of two protocols do not compare"},
      {"prompt_length", "prompt tokens"},
      {"steps", "tuning steps"},
      {"attempt", "the newest that finished, else the last"},
      {"fid", "Fréchet distance on Inception features; lower is better"},
      {"fid_mini", "Fréchet distance on features of the mini network, not FID; lower is better"},
      {"kid", "kernel distance on Inception features; lower is better"},
      {"kid_mini", "kernel distance on features of the mini network; lower is better"},
      {"precision", "share of generated images within the real ones, 0 to 1"},
      {"recall", "share of real images within the generated ones, 0 to 1"},
      {"memorisation", "about 0.05 for images like fresh real ones, 1 for copies"},
      {"label_accuracy", "a probe's accuracy on generated images, 0 to 1"},
      {"seconds", "wall clock of the attempt, s"},
      {"n_generated", "generated images counted"},
      {"n_reference", "real images counted"},
      {"peak_bytes", "most memory of the trainer, bytes"},
      {"slot_hours", "hours times slots, all attempts"},
      {"lost_slot_hours", "of attempts that do not count"}};
  return texts;
}

json shown(const std::string& description) {
  return {{"description", description}, {"columns", columns()}};
}

std::string datasette_metadata() {
  json tables = {{"results", shown("A row for each run.")},
                 {"leaderboard", shown("Finished configurations, means over seeds.")},
                 {"few_shot", shown("Finished runs with a number of shots.")},
                 {"ablations", shown("Configurations that stand beside others of their method.")},
                 {"failures", shown("Attempts that failed or were interrupted.")},
                 {"costs", shown("What each run took, and what of it was lost.")},
                 {"provenance", shown("How each finished run was made.")},
                 {"metrics", shown("A row for each run and metric: the attempt that counts.")},
                 {"all_metrics", shown("Numbers of runs and of outside generators, with what "
                                       "each may be compared by.")}};
  // What the ledger keeps for itself.
  for (const char* table : {"coordinators", "slots", "requests"})
    tables[table] = {{"hidden", true}};
  json queries = json::object();
  for (const NamedQuery& query : named_queries())
    // Some questions have a view's name, which Datasette would then not show.
    queries["question_" + query.name] = {{"title", query.question},
                                         {"sql", query.sql + " ORDER BY " + query.order}};
  return json{{"title", "marquee: results"},
              {"description",
               "A published copy of the ledger; marquee query asks the same questions."},
              {"databases", {{"results", {{"tables", tables}, {"queries", queries}}}}}}
             .dump(2) +
         "\n";
}

}  // namespace

void write_datasette_metadata(const std::filesystem::path& results) {
  const std::filesystem::path file = results / kDatasetteFile;
  const std::string text = datasette_metadata();
  std::error_code none;
  if (std::filesystem::file_size(file, none) == text.size() &&
      cluster::read_file(file, kMaxBytes) == text)
    return;
  cluster::write_file_durably(file, text);
}

}  // namespace marquee::analysis
