#include "analysis/metrics/neighbours.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "cluster/error.h"

namespace marquee::analysis {
namespace {

constexpr std::int64_t kBlockNumbers = std::int64_t{1} << 24;  // of a block of products: 64 MiB
constexpr std::int64_t kMaxBlockRows = 1024;
constexpr std::int64_t kColumnsAtOnce = 16;
constexpr double kUnitRoundoff = 0x1p-24;

// |computed - true| <= bound * (|a|^2 + |b|^2) for a squared distance |a|^2 + |b|^2 - 2 a.b of
// float32 points: d roundings of the inner product, a few of the norms, of centring and of the sum.
double error_bound(std::int64_t dimension) {
  constexpr double kOthers = 16;
  return (static_cast<double>(dimension) + kOthers) * kUnitRoundoff;
}

std::int64_t block_rows(std::int64_t columns) {
  return std::clamp(kBlockNumbers / std::max<std::int64_t>(columns, 1), std::int64_t{1},
                    kMaxBlockRows);
}

// Where a squared distance lies for certain.
struct Range {
  double low, high;
};

// Ranges of the squared distances of some rows to some points of a set.
class Block {
 public:
  Block(const PointSet& rows, std::int64_t first, std::int64_t count, const PointSet& set,
        std::int64_t first_column, std::int64_t columns)
      : products_(rows.centred()
                      .narrow(0, first, count)
                      .matmul(set.centred().narrow(0, first_column, columns).t())),
        values_(products_.const_data_ptr<float>()),
        row_squares_(rows.squares() + first),
        set_squares_(set.squares()),
        first_column_(first_column),
        columns_(columns),
        bound_(error_bound(rows.dimension())) {}

  // `row` within the block; `j` of the set, within the block's columns.
  Range range(std::int64_t row, std::int64_t j) const {
    const double squares = static_cast<double>(row_squares_[row]) + set_squares_[j];
    const double squared =
        squares - 2.0 * static_cast<double>(values_[row * columns_ + j - first_column_]);
    return {squared - bound_ * squares, squared + bound_ * squares};
  }

 private:
  Tensor products_;
  const float *values_, *row_squares_, *set_squares_;
  std::int64_t first_column_, columns_;
  double bound_;
};

template <typename Work>  // (Block, row within it, row)
void each_row(const PointSet& rows, const PointSet& set, const Work& work) {
  MARQUEE_CHECK(rows.dimension() == set.dimension(), "point sets must have one dimension");
  const std::int64_t step = block_rows(set.size());
  for (std::int64_t first = 0; first < rows.size(); first += step) {
    const Block block(rows, first, std::min(step, rows.size() - first), set, 0, set.size());
    at::parallel_for(first, std::min(first + step, rows.size()), 1,
                     [&](std::int64_t begin, std::int64_t end) {
                       for (std::int64_t i = begin; i < end; ++i) work(block, i - first, i);
                     });
  }
}

template <typename T>
double difference_square(const T* a, const T* b, std::int64_t count) {
  constexpr std::int64_t kLanes = 16;  // sums side by side, so that the loop runs in vectors
  double sums[kLanes] = {};
  std::int64_t k = 0;
  for (; k + kLanes <= count; k += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const double difference = static_cast<double>(a[k + lane]) - static_cast<double>(b[k + lane]);
      sums[lane] += difference * difference;
    }
  }
  double sum = 0;
  for (const double part : sums) sum += part;
  for (; k < count; ++k) {
    const double difference = static_cast<double>(a[k]) - static_cast<double>(b[k]);
    sum += difference * difference;
  }
  return sum;
}

// The k smallest numbers seen, ascending.
class Smallest {
 public:
  explicit Smallest(std::int64_t k)
      : values_(static_cast<std::size_t>(k), std::numeric_limits<double>::infinity()) {}

  double largest() const { return values_.back(); }
  void add(double value) {
    if (value >= values_.back()) return;
    const auto place = std::upper_bound(values_.begin(), values_.end(), value);
    std::move_backward(place, values_.end() - 1, values_.end());
    *place = value;
  }
  const std::vector<double>& values() const { return values_; }

 private:
  std::vector<double> values_;
};

// The k points nearest to one, while bounds of their distances come in. Kept are those that may yet
// be among them; when they become too many they are measured: `exact(j)` is the squared distance to
// j.
class NearestOf {
 public:
  explicit NearestOf(std::int64_t k) : bounds_(k), exact_(k) {}

  template <typename Exact>
  void add(std::int64_t j, const Range& range, const Exact& exact) {
    if (range.low > limit_) return;
    constexpr std::size_t kMany = 1024;
    bounds_.add(range.high);
    limit_ = std::min(limit_, bounds_.largest());
    open_.emplace_back(range.low, j);
    if (open_.size() >= kMany) settle(exact);
  }
  // The distances, ascending.
  template <typename Exact>
  void write(const Exact& exact, double* into) {
    settle(exact);
    for (const double squared : exact_.values()) *into++ = std::sqrt(squared);
  }

 private:
  template <typename Exact>
  void settle(const Exact& exact) {
    for (const auto& [low, j] : open_)
      if (low <= limit_) exact_.add(exact(j));
    open_.clear();
    limit_ = std::min(limit_, exact_.largest());
  }

  Smallest bounds_, exact_;  // upper bounds of all; squared distances of those measured
  // The k-th smallest squared distance is not above it.
  double limit_ = std::numeric_limits<double>::infinity();
  std::vector<std::pair<double, std::int64_t>> open_;  // lower bounds
};

// A set of balls as the loop over pairs asks them.
struct AskedBalls {
  explicit AskedBalls(const Balls& balls)
      : radii(balls.radii.to(torch::kFloat64).contiguous()),
        values(radii.const_data_ptr<double>()),
        around_rows(balls.around_rows),
        strict(balls.strict) {}

  double radius(std::int64_t i, std::int64_t j) const { return values[around_rows ? i : j]; }
  bool contains(double distance, double radius) const {
    return strict ? distance < radius : distance <= radius;
  }

  Tensor radii;
  const double* values;
  bool around_rows, strict;
};

// Relative room around a squared radius for the roundings of square root and square.
constexpr double kRadiusRoom = 1e-12;

}  // namespace

PointSet::PointSet(const Tensor& points, const Tensor& centre) {
  MARQUEE_CHECK(points.dim() == 2, "points must be [n, d]");
  points_ =
      (points.scalar_type() == torch::kFloat32 ? points : points.to(torch::kFloat64)).contiguous();
  centred_ = torch::empty(points_.sizes(), torch::kFloat32);
  squares_ = torch::empty({points_.size(0)}, torch::kFloat32);
  const std::int64_t step = block_rows(points_.size(1));
  for (std::int64_t first = 0; first < points_.size(0); first += step) {
    const std::int64_t count = std::min(step, points_.size(0) - first);
    const Tensor block =
        (points_.narrow(0, first, count).to(torch::kFloat64) - centre).to(torch::kFloat32);
    centred_.narrow(0, first, count).copy_(block);
    squares_.narrow(0, first, count).copy_(block.to(torch::kFloat64).square().sum(1));
  }
}

double PointSet::squared_distance(std::int64_t i, const PointSet& other, std::int64_t j) const {
  const std::int64_t d = dimension();
  if (points_.scalar_type() == torch::kFloat32 && other.points_.scalar_type() == torch::kFloat32)
    return difference_square(points_.const_data_ptr<float>() + i * d,
                             other.points_.const_data_ptr<float>() + j * d, d);
  MARQUEE_CHECK(points_.scalar_type() == other.points_.scalar_type(),
                "point sets must have one type");
  return difference_square(points_.const_data_ptr<double>() + i * d,
                           other.points_.const_data_ptr<double>() + j * d, d);
}

Tensor common_centre(const Tensor& a, const Tensor& b) {
  return (a.mean(0, /*keepdim=*/false, torch::kFloat64) +
          b.mean(0, /*keepdim=*/false, torch::kFloat64)) /
         2;
}

Tensor nearest_distances(const PointSet& rows, const PointSet& set, std::int64_t k) {
  MARQUEE_CHECK(k >= 1 && set.size() >= k, "fewer points than neighbours");
  const Tensor result = torch::empty({rows.size(), k}, torch::kFloat64);
  each_row(rows, set, [&](const Block& block, std::int64_t row, std::int64_t i) {
    NearestOf nearest(k);
    const auto exact = [&](std::int64_t j) { return rows.squared_distance(i, set, j); };
    for (std::int64_t j = 0; j < set.size(); ++j) nearest.add(j, block.range(row, j), exact);
    nearest.write(exact, result.mutable_data_ptr<double>() + i * k);
  });
  return result;
}

Tensor nearest_within(const PointSet& points, std::int64_t k) {
  MARQUEE_CHECK(k >= 1 && points.size() > k, "fewer points than neighbours");
  const std::int64_t n = points.size();
  std::vector<NearestOf> nearest(static_cast<std::size_t>(n), NearestOf(k));
  const auto measure_from = [&points](std::int64_t i) {
    return [&points, i](std::int64_t j) { return points.squared_distance(i, points, j); };
  };
  // Square blocks on and above the diagonal; each serves its rows and, above it, its columns.
  for (std::int64_t top = 0; top < n; top += kMaxBlockRows) {
    for (std::int64_t left = top; left < n; left += kMaxBlockRows) {
      const std::int64_t below = std::min(top + kMaxBlockRows, n),
                         behind = std::min(left + kMaxBlockRows, n);
      const Block block(points, top, below - top, points, left, behind - left);
      at::parallel_for(top, below, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          const auto exact = measure_from(i);
          for (std::int64_t j = left; j < behind; ++j)
            if (j != i) nearest[static_cast<std::size_t>(i)].add(j, block.range(i - top, j), exact);
        }
      });
      if (left == top) continue;
      at::parallel_for(left, behind, kColumnsAtOnce, [&](std::int64_t begin, std::int64_t end) {
        // Some columns side by side, so that a line of the cache is read once.
        for (std::int64_t first = begin; first < end; first += kColumnsAtOnce) {
          for (std::int64_t i = top; i < below; ++i) {
            for (std::int64_t j = first; j < std::min(first + kColumnsAtOnce, end); ++j)
              nearest[static_cast<std::size_t>(j)].add(i, block.range(i - top, j), measure_from(j));
          }
        }
      });
    }
  }
  const Tensor result = torch::empty({n, k}, torch::kFloat64);
  at::parallel_for(0, n, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      nearest[static_cast<std::size_t>(i)].write(measure_from(i),
                                                 result.mutable_data_ptr<double>() + i * k);
  });
  return result;
}

void pairs_inside(const PointSet& rows, const PointSet& set, const std::vector<Balls>& balls,
                  const std::function<void(std::int64_t, std::int64_t, unsigned)>& inside) {
  std::vector<AskedBalls> all(balls.begin(), balls.end());
  // The largest ball around each point of `set`, and of each row, for the test that most fail.
  std::vector<double> around_set(static_cast<std::size_t>(set.size()), -1);
  for (const AskedBalls& one : all) {
    MARQUEE_CHECK(one.radii.numel() == (one.around_rows ? rows : set).size(),
                  "one radius for each point");
    if (one.around_rows) continue;
    for (std::size_t j = 0; j < around_set.size(); ++j)
      around_set[j] = std::max(around_set[j], one.values[j]);
  }
  for (double& radius : around_set) radius = radius * radius * (1 + kRadiusRoom);
  each_row(rows, set, [&](const Block& block, std::int64_t row, std::int64_t i) {
    double around_row = 0;
    for (const AskedBalls& one : all)
      if (one.around_rows) around_row = std::max(around_row, one.values[i]);
    around_row *= around_row * (1 + kRadiusRoom);
    for (std::int64_t j = 0; j < set.size(); ++j) {
      const Range squared = block.range(row, j);
      if (squared.low > around_row && squared.low > around_set[static_cast<std::size_t>(j)])
        continue;
      double measured = -1;
      unsigned mask = 0;
      for (std::size_t b = 0; b < all.size(); ++b) {
        const double radius = all[b].radius(i, j), square = radius * radius;
        bool in = squared.high < square * (1 - kRadiusRoom);
        if (!in && squared.low <= square * (1 + kRadiusRoom)) {
          if (measured < 0) measured = std::sqrt(rows.squared_distance(i, set, j));
          in = all[b].contains(measured, radius);
        }
        mask |= static_cast<unsigned>(in) << b;
      }
      if (mask != 0) inside(i, j, mask);
    }
  });
}

}  // namespace marquee::analysis
