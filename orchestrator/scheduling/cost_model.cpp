#include "orchestrator/scheduling/cost_model.h"

#include <utility>

namespace marquee::orchestrator {
namespace {

constexpr std::size_t kMostLooks = 256;  // at kinds, with each finished run

}  // namespace

CostModel::CostModel(experiments::RunTimeModel history, experiments::RunTimeModel probed)
    : times_(std::move(history)), probed_(std::move(probed)) {
  rate_ = times_.seconds_of_cost() > 0 ? times_.seconds_of_cost() : probed_.seconds_of_cost();
}

void CostModel::look_at(Kind& kind) {
  auto prediction = times_.predict(kind.work);
  if (!prediction) prediction = probed_.predict(kind.work);
  kind.measured = prediction.has_value();
  if (prediction) {
    kind.estimate = {prediction->seconds, prediction->to_checkpoint, prediction->peak_bytes};
  } else {
    kind.estimate = {kind.work.cost * (rate_ > 0 ? rate_ : 1.0), 0, 0};
  }
}

const Estimate& CostModel::know(const PlannedRun& planned, const experiments::RunConfig& run) {
  const auto [known, fresh] = kinds_.try_emplace(planned.kind);
  if (fresh) {
    known->second.work = experiments::workload_of(run);
    look_at(known->second);
    for (const std::uint64_t alike : known->second.work.alike)
      alike_[alike].kinds.push_back(planned.kind);
    order_.push_back(planned.kind);
  }
  return known->second.estimate;
}

std::vector<CostModel::Change> CostModel::all() const {
  std::vector<Change> estimates;
  for (const std::uint64_t kind : order_) estimates.push_back({kind, kinds_.at(kind).estimate});
  return estimates;
}

void CostModel::queue(std::uint64_t kind) {
  if (std::exchange(kinds_.at(kind).queued, true)) return;
  queue_.push_back(kind);
}

std::vector<CostModel::Change> CostModel::learn(const PlannedRun& planned,
                                                const experiments::RunConfig& run,
                                                const std::string& machine,
                                                const experiments::PhaseTimes& times) {
  know(planned, run);
  times_.add(run, machine, times, experiments::RunTimeModel::Source::this_sweep);
  const auto due = [](Likeness& likeness) {
    if (++likeness.finished < likeness.next_look) return false;
    likeness.next_look = 2 * likeness.finished;
    return true;
  };
  for (const std::uint64_t alike : kinds_.at(planned.kind).work.alike) {
    Likeness& likeness = alike_.at(alike);
    if (!due(likeness)) continue;
    for (const std::uint64_t kind : likeness.kinds) queue(kind);
  }
  std::size_t looks = kMostLooks;
  if (due(all_) && times_.seconds_of_cost() > 0) {
    // Once, all at once: relative costs and seconds must not stand side by side.
    if (rate_ == 0) looks = kinds_.size();
    rate_ = times_.seconds_of_cost();
    for (const std::uint64_t kind : order_)
      if (!kinds_.at(kind).measured) queue(kind);
  }
  std::vector<Change> changes;
  for (; looks > 0 && !queue_.empty(); --looks) {
    const std::uint64_t name = queue_.front();
    queue_.pop_front();
    Kind& kind = kinds_.at(name);
    kind.queued = false;
    const Estimate before = kind.estimate;
    look_at(kind);
    if (kind.estimate != before) changes.push_back({name, kind.estimate});
  }
  return changes;
}

}  // namespace marquee::orchestrator
