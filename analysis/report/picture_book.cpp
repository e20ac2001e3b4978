#include "analysis/report/picture_book.h"

#include <span>

#include <nlohmann/json.hpp>

#include "cluster/base64.h"
#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/log.h"
#include "datasets/image_size.h"

namespace marquee::analysis {
namespace {

constexpr std::uintmax_t kMaxFacts = std::uintmax_t{1} << 20;
constexpr std::uintmax_t kMaxPicture = std::uintmax_t{4} << 20;
constexpr int kMaxSide = 8192;

}  // namespace

std::optional<PictureFacts> read_picture_facts(const std::filesystem::path& attempt_folder) {
  const std::filesystem::path file = attempt_folder / "pictures.json";
  if (!std::filesystem::exists(file)) return std::nullopt;
  try {
    const auto content = nlohmann::json::parse(cluster::read_file(file, kMaxFacts));
    PictureFacts facts;
    facts.labels = content.at("labels").get<std::vector<std::int64_t>>();
    facts.classes = content.value("classes", std::vector<std::string>{});
    facts.real_split = content.value("real_split", "");
    for (const auto& neighbour : content.value("neighbours", nlohmann::json::array()))
      facts.distances.push_back(neighbour.at("distance").get<double>());
    return facts;
  } catch (const nlohmann::json::exception& error) {
    cluster::throw_environment(file.string() + ": " + error.what());
  }
}

std::optional<Picture> PictureBook::embed(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return std::nullopt;
  try {
    if (std::filesystem::file_size(file) > left_) return std::nullopt;
    const std::string bytes = cluster::read_file(file, kMaxPicture);
    const auto declared = datasets::declared_image_size(std::as_bytes(std::span(bytes)));
    const bool is_png = bytes.starts_with("\x89PNG\r\n\x1a\n");
    if (!is_png || !declared || declared->first > kMaxSide || declared->second > kMaxSide)
      cluster::throw_environment(file.string() + ": is no PNG of at most " +
                                 std::to_string(kMaxSide) + " pixels a side");
    left_ -= bytes.size();
    return Picture{"data:image/png;base64," + cluster::base64(bytes), declared->second,
                   declared->first};
  } catch (const cluster::Error& problem) {
    cluster::log_warning("report", problem.what());
    return std::nullopt;
  }
}

}  // namespace marquee::analysis
