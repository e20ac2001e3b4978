#include "analysis/report/samples.h"

#include "cluster/durable_file.h"
#include "experiments/run_folder.h"

namespace marquee::analysis {
namespace {

constexpr std::uintmax_t kMaxPictureBytes = std::uintmax_t{64} << 20;

}  // namespace

std::filesystem::path attempt_folder(const std::filesystem::path& results, const RunEntry& run) {
  return experiments::attempt_dir(results, experiments::RunId(run.run_id), run.attempt);
}

std::optional<std::string> read_samples(const std::filesystem::path& attempt_folder) {
  const std::filesystem::path file = attempt_folder / "samples.png";
  if (!std::filesystem::exists(file)) return std::nullopt;
  return cluster::read_file(file, kMaxPictureBytes);
}

std::string copy_samples(const std::filesystem::path& results, const RunEntry& run,
                         const std::filesystem::path& folder) {
  // A finished attempt does not change.
  const std::string name = run.run_id.substr(0, 12) + "-" + std::to_string(run.attempt) + ".png";
  const std::filesystem::path from = attempt_folder(results, run);
  std::error_code error;
  const auto size = std::filesystem::file_size(folder / name, error);
  if (!error && size == std::filesystem::file_size(from / "samples.png", error) && !error)
    return name;
  const auto samples = read_samples(from);
  if (!samples) return "";
  cluster::write_file_durably(folder / name, *samples);
  return name;
}

}  // namespace marquee::analysis
