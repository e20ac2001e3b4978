#include "experiments/brief_hold.h"

#include "cluster/error.h"
#include "experiments/ledger_takeover.h"
#include "experiments/recovery.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;

// Waits for nobody: what a holder is there for can be left to it.
cluster::LeaseOptions at_once() {
  cluster::LeaseOptions options;
  options.give_up_after_seconds = 0;
  options.role = "command";
  return options;
}

void add(TakenIn& sum, const TakenIn& more) {
  sum.entries += more.entries;
  sum.refused += more.refused;
  sum.without_effect += more.without_effect;
  sum.cancelled.insert(sum.cancelled.end(), more.cancelled.begin(), more.cancelled.end());
  sum.wanted.insert(sum.wanted.end(), more.wanted.begin(), more.wanted.end());
  sum.finished.insert(sum.finished.end(), more.finished.begin(), more.finished.end());
}

}  // namespace

std::optional<BriefHold> BriefHold::try_take(const fs::path& results, std::string& busy) {
  try {
    return BriefHold(results, cluster::Lease::acquire(results, at_once()));
  } catch (const cluster::Error& error) {
    if (error.kind() != cluster::ErrorKind::busy) throw;
    busy = error.what();
    return std::nullopt;
  }
}

BriefHold::BriefHold(fs::path results, cluster::Lease lease)
    : results_(std::move(results)),
      lease_(std::move(lease)),
      ledger_(open_ledger(results_, lease_)) {
  recover(ledger_, results_);
  take_in();
}

void BriefHold::take_in() {
  while (inbox_waits(results_)) {
    const TakenIn more = experiments::take_in(ledger_, results_);
    add(taken_, more);
    if (more.entries == 0) return;  // what cannot be put away stays
  }
}

Delivery deliver(const fs::path& results, InboxEntry entry) {
  entry.epoch = cluster::read_lease(results).epoch;
  Delivery delivery;
  delivery.entry = seal_entry(results, std::move(entry));
  // Again after the lease is given back: who found it taken meanwhile has left an entry to us.
  do {
    std::optional<BriefHold> hold = BriefHold::try_take(results, delivery.busy);
    if (!hold) return delivery;
    if (!delivery.taken) delivery.taken.emplace();
    add(*delivery.taken, hold->taken());
    hold->publish();
    if (hold->taken().entries == 0) return delivery;
  } while (inbox_waits(results));
  return delivery;
}

}  // namespace marquee::experiments
