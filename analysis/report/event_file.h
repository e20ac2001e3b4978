// TensorBoard's event files, one for each finished run: the loss of every step, the metrics, the
// sample grid, the configuration as text. TensorBoard's own reader opens them
// (tests/outside/readers_test.py).
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "analysis/report/exported_runs.h"

namespace marquee::analysis {

// Where the file of a run lies in an export: <task>/<shots>/<name>/events.out.tfevents.<time>.<id>.
std::filesystem::path event_file_place(const ExportedRun& run);

// Bytes of the file: TFRecords of Event messages. Wall times are the end of the attempt. A damaged
// curve or picture is left out and told in `left_out`. The same run gives the same bytes.
std::string event_file(const ExportedRun& run, std::vector<std::string>& left_out);

}  // namespace marquee::analysis
