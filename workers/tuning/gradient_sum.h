// The gradient of one step: of all micro-batches of a gang, added by the tree over them, parameter
// by parameter. Where the gang's sums go on beside computing, parameters are sent in buckets while
// the last backward pass still computes those of the others; the bits are the same.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "workers/models/parameters.h"
#include "workers/tuning/communicator.h"

namespace marquee::workers {

class GradientSum {
 public:
  static constexpr std::int64_t kBucketBytes = std::int64_t{16} << 20;

  // `micro_batches`: of this rank. `order`: the names as the backward pass comes to them, filled in
  // by the first step and kept by the caller from step to step; empty at first. Both must outlive
  // it. Collective where order is empty.
  GradientSum(ParameterMap& trained, std::int64_t micro_batches, Communicator& gang,
              std::vector<std::string>& order, std::int64_t bucket_bytes = kBucketBytes);

  // The backward pass of this rank's next micro-batch. Leaves no gradients in the leaves.
  void add(const Tensor& loss);

  struct Result {
    ParameterMap gradients;
    Tensor loss;  // the sum, float32 scalar
  };
  // Collective, when all micro-batches have been added. Throws GangBroken.
  Result finish();

 private:
  struct Bucket {
    std::vector<std::string> names;
    std::vector<Tensor> parts;  // flat, of each micro-batch
    std::unique_ptr<PendingSum> sum;
  };
  void make_buckets();
  void backward_and_send(const Tensor& loss);
  Tensor flat(const Bucket& bucket, const ParameterMap& gradients, const Tensor& loss) const;
  void agree_on_order();

  ParameterMap& trained_;
  std::int64_t micro_batches_, added_ = 0, bucket_bytes_;
  Communicator& gang_;
  std::vector<std::string>& order_;
  std::vector<Bucket> buckets_;  // the loss is behind the last one's numbers
};

}  // namespace marquee::workers
