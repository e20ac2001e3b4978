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

std::string copy_samples(const std::filesystem::path& results, const RunEntry& run,
                         const std::filesystem::path& folder) {
  const std::filesystem::path source = attempt_folder(results, run) / "samples.png";
  if (!std::filesystem::exists(source)) return "";
  const std::string name = run.run_id.substr(0, 12) + ".png";
  cluster::write_file_durably(folder / name, cluster::read_file(source, kMaxPictureBytes));
  return name;
}

}  // namespace marquee::analysis
