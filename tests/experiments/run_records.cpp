#include "tests/experiments/run_records.h"

#include <SQLiteCpp/SQLiteCpp.h>

namespace marquee::experiments {

RunConfig run_with_seed(std::uint64_t seed) {
  RunConfig run;
  run.task = "eurosat";
  run.shots = "5";
  run.method = "prompt";
  run.seed = seed;
  return run;
}

SweepFile two_runs() {
  SweepFile sweep;
  sweep.name = "two";
  sweep.runs = {run_with_seed(0), run_with_seed(1)};
  sweep.sha256 = std::string(64, 'f');
  sweep.file = "two.yaml";
  return sweep;
}

AttemptRecord record_of(const RunConfig& run, int attempt, const std::string& status, double fid) {
  AttemptRecord record;
  record.run_id = run_id(run).text();
  record.attempt = attempt;
  record.epoch = 1;
  record.status = status;
  record.started = record.ended = "2026-01-01T00:00:00.000Z";
  record.host = "here";
  record.run = to_json(run);
  if (status == "done") {
    ResultRecord result;
    result.metrics = {{"fid_mini", fid, 0.1, 256, 1000, "mini-v0", std::string(64, 'b')},
                      {"precision", 0.5, std::nullopt, 256, 1000, "mini-v0", std::string(64, 'b')}};
    result.trainable_parameters = 42;
    result.seconds = 3.5;
    record.result = result;
  } else {
    record.cause.kind = "crash";
    record.cause.message = "signal 9";
  }
  return record;
}

std::vector<std::vector<std::string>> published(const std::filesystem::path& results,
                                                const std::string& sql) {
  SQLite::Database database((results / "results.sqlite").string(), SQLite::OPEN_READONLY);
  SQLite::Statement statement(database, sql);
  std::vector<std::vector<std::string>> rows;
  while (statement.executeStep()) {
    rows.emplace_back();
    for (int i = 0; i < statement.getColumnCount(); ++i)
      rows.back().push_back(statement.getColumn(i).getString());
  }
  return rows;
}

}  // namespace marquee::experiments
