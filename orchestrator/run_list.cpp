#include "orchestrator/run_list.h"

#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/error.h"

namespace marquee::orchestrator {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kMaxBytes = std::uintmax_t{256} << 20;

}  // namespace

void write_run_list(const std::filesystem::path& file,
                    const std::vector<experiments::RunConfig>& runs) {
  json list = json::array();
  for (const experiments::RunConfig& run : runs) list.push_back(experiments::to_json(run));
  cluster::write_file_durably(file, json{{"runs", list}}.dump() + "\n");
}

experiments::SweepFile read_run_list(const std::filesystem::path& file) {
  experiments::SweepFile sweep;
  sweep.file = file;
  const json content = json::parse(cluster::read_file(file, kMaxBytes), nullptr, false);
  try {
    for (const json& run : content.at("runs"))
      sweep.runs.push_back(experiments::run_config_from_json(run));
  } catch (const json::exception& error) {
    cluster::throw_environment(file.string() + ": is no list of runs (" + error.what() + ")");
  }
  return sweep;
}

}  // namespace marquee::orchestrator
