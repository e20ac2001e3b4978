#include "workers/split_rows.h"

#include "cluster/error.h"
#include "cluster/log.h"

namespace marquee::workers {

Tensor rows_tensor(const std::vector<std::size_t>& rows) {
  const std::vector<std::int64_t> wide(rows.begin(), rows.end());
  return torch::tensor(at::ArrayRef<std::int64_t>(wide), torch::kInt64);
}

std::vector<std::size_t> rows_from(const Tensor& rows, std::size_t size, const std::string& where) {
  const Tensor wide = rows.to(torch::kInt64).contiguous();
  const auto* row = wide.data_ptr<std::int64_t>();
  std::vector<std::size_t> result;
  for (std::int64_t i = 0; i < wide.numel(); ++i) {
    const bool fits = row[i] >= 0 && static_cast<std::size_t>(row[i]) < size &&
                      (result.empty() || result.back() < static_cast<std::size_t>(row[i]));
    if (!fits) cluster::throw_environment(where + ": 'rows' does not fit the split");
    result.push_back(static_cast<std::size_t>(row[i]));
  }
  return result;
}

Tensor labels_at(const datasets::Dataset& dataset, const std::vector<std::size_t>& rows) {
  std::vector<std::int64_t> labels;
  for (const std::size_t row : rows) labels.push_back(dataset.label(row));
  return torch::tensor(at::ArrayRef<std::int64_t>(labels), torch::kInt64);
}

std::optional<datasets::Image> image_or_skip(const datasets::Dataset& dataset, std::size_t row,
                                             const datasets::DataFolder& data,
                                             std::string& reason) {
  try {
    return dataset.image(row);
  } catch (const cluster::Error& error) {
    const bool skips = data.bad_records == datasets::BadRecords::skip &&
                       error.kind() == cluster::ErrorKind::environment;
    if (!skips) throw;
    reason = error.what();
    cluster::log_warning("datasets", reason + "; skipped");
    return std::nullopt;
  }
}

}  // namespace marquee::workers
