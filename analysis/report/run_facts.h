// How each number of a comparison was made, small enough for pages about thousands of runs: what is
// the same for all once, what differs as a list of its values and places in it.
#pragma once

#include <string>

#include <SQLiteCpp/SQLiteCpp.h>
#include <nlohmann/json.hpp>

#include "analysis/report/comparison.h"
#include "analysis/report/private_text.h"
#include "analysis/report/table.h"

namespace marquee::analysis {

struct RunFacts {
  Table common;  // key, value: of every finished run
  // {"rows": [{"name", "config": {keys that differ}}], one for each row of the comparison,
  //  "columns": names of what each run has of its own, "keys": names of the other facts that
  //  differ, "values": of each key its distinct values,
  //  "runs": [[row, seed, run id, columns..., places in values...]]}
  nlohmann::json runs;
  int on_gpu = 0;  // runs
};

// "eurosat, prompt, 5 shots": as rows are called.
std::string row_title(const ComparisonRow& row);

RunFacts run_facts(SQLite::Database& database, const Comparison& comparison,
                   const PrivateText& text);

}  // namespace marquee::analysis
