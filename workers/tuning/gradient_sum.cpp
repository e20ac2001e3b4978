#include "workers/tuning/gradient_sum.h"

#include <algorithm>
#include <functional>
#include <set>

#include "cluster/error.h"
#include "cluster/sha256.h"
#include "workers/tuning/gradient_tree.h"

namespace marquee::workers {
namespace {

// Calls `seen` with the name of each leaf once in a backward pass, when its gradient is complete,
// while it lives.
class LeafHooks {
 public:
  using Seen = std::function<void(const std::string& name)>;

  LeafHooks(const ParameterMap& leaves, const Seen& seen) : leaves_(leaves) {
    for (const auto& [name, leaf] : leaves_)
      torch::autograd::impl::set_post_acc_grad_hooks(leaf, std::make_unique<Hook>(name, seen));
  }
  ~LeafHooks() {
    for (const auto& [name, leaf] : leaves_)
      torch::autograd::impl::set_post_acc_grad_hooks(leaf, nullptr);
  }
  LeafHooks(const LeafHooks&) = delete;
  LeafHooks& operator=(const LeafHooks&) = delete;

 private:
  class Hook : public torch::autograd::PostAccumulateGradHook {
   public:
    Hook(std::string name, const Seen& seen) : name_(std::move(name)), seen_(seen) {}
    void operator()(const Tensor&) override { seen_(name_); }

   private:
    std::string name_;
    const Seen& seen_;
  };
  const ParameterMap& leaves_;
};

// Takes the gradient out of the leaf; undefined where the backward pass has not come to it.
Tensor taken_gradient(Tensor& leaf) {
  Tensor gradient = leaf.grad();
  leaf.mutable_grad() = Tensor();
  return gradient;
}

}  // namespace

GradientSum::GradientSum(ParameterMap& trained, std::int64_t micro_batches, Communicator& gang,
                         std::vector<std::string>& order, std::int64_t bucket_bytes)
    : trained_(trained),
      micro_batches_(micro_batches),
      bucket_bytes_(bucket_bytes),
      gang_(gang),
      order_(order) {
  for (auto& [name, leaf] : trained_) taken_gradient(leaf);
  if (!order_.empty() || !gang_.overlaps()) make_buckets();
}

// All in one where nothing is gained by more.
void GradientSum::make_buckets() {
  buckets_.emplace_back();
  if (!gang_.overlaps()) {
    for (const auto& [name, leaf] : trained_) buckets_.back().names.push_back(name);
    return;
  }
  std::int64_t bytes = 0;
  for (const std::string& name : order_) {
    if (bytes >= bucket_bytes_) {
      buckets_.emplace_back();
      bytes = 0;
    }
    buckets_.back().names.push_back(name);
    bytes += trained_.at(name).numel() * static_cast<std::int64_t>(sizeof(float));
  }
}

void GradientSum::add(const Tensor& loss) {
  MARQUEE_CHECK(added_ < micro_batches_, "more micro-batches than were announced");
  ++added_;
  const bool learns_order = buckets_.empty();
  if (learns_order) {
    {
      const LeafHooks::Seen seen = [this](const std::string& name) { order_.push_back(name); };
      const LeafHooks hooks(trained_, seen);
      loss.backward();
    }
    const std::set<std::string> reached(order_.begin(), order_.end());
    for (const auto& [name, leaf] : trained_)
      if (!reached.contains(name)) order_.push_back(name);
    agree_on_order();
    make_buckets();
  } else if (added_ == micro_batches_ && gang_.overlaps()) {
    backward_and_send(loss);
    return;
  } else {
    loss.backward();
  }
  ParameterMap gradients;
  for (auto& [name, leaf] : trained_) gradients[name] = taken_gradient(leaf);
  for (Bucket& bucket : buckets_) bucket.parts.push_back(flat(bucket, gradients, loss));
}

// Buckets go out in their order, which is the same on every rank, each as soon as the gradients of
// it and of those before it are there.
void GradientSum::backward_and_send(const Tensor& loss) {
  ParameterMap gradients;
  std::size_t next = 0;
  const auto complete = [&](const Bucket& bucket) {
    return std::all_of(bucket.names.begin(), bucket.names.end(),
                       [&](const std::string& name) { return gradients.count(name) > 0; });
  };
  const auto send = [&] {
    Bucket& bucket = buckets_[next++];
    bucket.parts.push_back(flat(bucket, gradients, loss));
    bucket.sum = gang_.start_sum(tree_sum(std::exchange(bucket.parts, {})));
  };
  {
    const LeafHooks::Seen seen = [&](const std::string& name) {
      const torch::NoGradGuard no_grad;
      gradients[name] = taken_gradient(trained_.at(name));
      while (next < buckets_.size() && complete(buckets_[next])) send();
    };
    const LeafHooks hooks(trained_, seen);
    loss.backward();
  }
  while (next < buckets_.size()) send();
}

Tensor GradientSum::flat(const Bucket& bucket, const ParameterMap& gradients,
                         const Tensor& loss) const {
  std::vector<Tensor> parts;
  for (const std::string& name : bucket.names) {
    const auto found = gradients.find(name);
    const bool reached = found != gradients.end() && found->second.defined();
    parts.push_back(
        (reached ? found->second : torch::zeros_like(trained_.at(name).detach())).reshape({-1}));
  }
  if (&bucket == &buckets_.back()) parts.push_back(loss.detach().reshape({1}));
  return at::cat(parts);
}

// Buckets of another make on another rank would be added to ours without a word.
void GradientSum::agree_on_order() {
  std::string names;
  for (const std::string& name : order_) names += name + "\n";
  const std::string digest = cluster::sha256_hex(names);
  constexpr std::size_t kDigits = 4;  // exact in float32
  Tensor mine = torch::empty({static_cast<std::int64_t>(digest.size() / kDigits)});
  for (std::int64_t i = 0; i < mine.numel(); ++i)
    mine[i] = static_cast<float>(
        std::stoi(digest.substr(static_cast<std::size_t>(i) * kDigits, kDigits), nullptr, 16));
  MARQUEE_CHECK(gang_.sum(mine).equal(mine * gang_.size()),
                "the ranks of the gang come to their gradients in different orders");
}

GradientSum::Result GradientSum::finish() {
  MARQUEE_CHECK(added_ == micro_batches_, "fewer micro-batches than were announced");
  Result result;
  for (Bucket& bucket : buckets_) {
    if (bucket.sum == nullptr)
      bucket.sum = gang_.start_sum(tree_sum(std::exchange(bucket.parts, {})));
  }
  for (Bucket& bucket : buckets_) {
    const Tensor sum = bucket.sum->result();
    std::int64_t at = 0;
    for (const std::string& name : bucket.names) {
      const Tensor& leaf = trained_.at(name);
      result.gradients[name] = sum.narrow(0, at, leaf.numel()).reshape(leaf.sizes());
      at += leaf.numel();
    }
    if (&bucket == &buckets_.back()) result.loss = sum[at];
  }
  return result;
}

}  // namespace marquee::workers
