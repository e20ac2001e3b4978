// Exact distances between two sets of points at the speed of a matrix product.
//
// Squared distances come block by block from single precision products of the centred points, each
// with a bound on its error that always holds (the standard bound of an inner product of d terms).
// Whatever the bound leaves open - which neighbour is the k-th, whether a point lies in a ball - is
// decided again from direct differences in double precision. So results are those of double
// precision throughout, equal for every block size and number of threads, and pairs of points never
// lie in memory together.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "analysis/metrics/features.h"

namespace marquee::analysis {

// Points of a set, float32 or float64 [n, d], as given and centred on `centre` (float64 [d]) in
// single precision. Not copied: keeps the tensor.
class PointSet {
 public:
  PointSet(const Tensor& points, const Tensor& centre);

  std::int64_t size() const { return points_.size(0); }
  std::int64_t dimension() const { return points_.size(1); }
  const Tensor& centred() const { return centred_; }                         // float32 [n, d]
  const float* squares() const { return squares_.const_data_ptr<float>(); }  // of centred, [n]
  // Squared distance to row `j` of `other`, by direct differences in float64. Symmetric, bit by
  // bit.
  double squared_distance(std::int64_t i, const PointSet& other, std::int64_t j) const;

 private:
  Tensor points_, centred_, squares_;
};

// A point in the middle of both sets: distances do not change, errors shrink.
Tensor common_centre(const Tensor& a, const Tensor& b);

// Distances of each row of `rows` to its k nearest in `set`, float64 [n, k], ascending. Throws a
// defect where there are fewer than k.
Tensor nearest_distances(const PointSet& rows, const PointSet& set, std::int64_t k);
// Likewise within one set, a point not being its own neighbour. Each pair is looked at once.
Tensor nearest_within(const PointSet& points, std::int64_t k);

// Balls around the points of one of two sets.
struct Balls {
  Tensor radii;      // float64, one for each point
  bool around_rows;  // else around the points of `set`
  bool strict;       // inside: distance < radius; else <=
};

// Calls `inside(i, j, mask)` for every pair in which a point lies in the other's ball; bit b of the
// mask: that of balls[b]. Called from several threads at once, for one row i always from one, with
// ascending j.
void pairs_inside(const PointSet& rows, const PointSet& set, const std::vector<Balls>& balls,
                  const std::function<void(std::int64_t, std::int64_t, unsigned)>& inside);

}  // namespace marquee::analysis
