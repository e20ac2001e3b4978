// What a sweep has taken, by shots and method.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include "analysis/report/comparison.h"
#include "analysis/report/table.h"

namespace marquee::analysis {

// Columns: shots, method, runs, seconds a run, slot hours, of them lost, peak memory GiB, trained
// numbers; below it all attempts of runs without a result, where there are some, and the sum.
Table cost_table(SQLite::Database& database, const Comparison& comparison);

}  // namespace marquee::analysis
