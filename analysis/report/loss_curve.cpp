#include "analysis/report/loss_curve.h"

#include <nlohmann/json.hpp>

#include "cluster/durable_file.h"
#include "cluster/error.h"

namespace marquee::analysis {
namespace {

constexpr std::uintmax_t kMaxCurveBytes = std::uintmax_t{16} << 20;

}  // namespace

LossCurve read_loss_curve(const std::filesystem::path& attempt_folder) {
  LossCurve curve;
  const std::filesystem::path file = attempt_folder / "curves.json";
  if (!std::filesystem::exists(file)) return curve;
  try {
    const auto content = nlohmann::json::parse(cluster::read_file(file, kMaxCurveBytes));
    curve.steps = content.at("steps").get<std::vector<std::int64_t>>();
    curve.losses = content.at("loss").get<std::vector<double>>();
  } catch (const nlohmann::json::exception& error) {
    cluster::throw_environment(file.string() + ": " + error.what());
  }
  if (curve.steps.size() != curve.losses.size()) {
    cluster::throw_environment(file.string() + ": " + std::to_string(curve.steps.size()) +
                               " steps but " + std::to_string(curve.losses.size()) + " losses");
  }
  return curve;
}

}  // namespace marquee::analysis
