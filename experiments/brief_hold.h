// How a short command (cancel, rerun, the end of a single run, an array element) gets something
// into the ledger: it seals an entry into the inbox; where the folder's lease is free it takes that
// for a moment and takes the entry in itself, else it leaves it to the holder. Not thread safe.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "cluster/lease.h"
#include "experiments/inbox.h"
#include "experiments/ledger.h"

namespace marquee::experiments {

class BriefHold {
 public:
  // Takes the lease unless somebody has it: then nullopt, and `busy` names the holder. With it
  // comes what every new holder does: recovery and the inbox.
  static std::optional<BriefHold> try_take(const std::filesystem::path& results, std::string& busy);

  Ledger& ledger() { return ledger_; }
  const TakenIn& taken() const { return taken_; }
  void take_in();  // what has come since
  // For work of more than a moment, at least every few seconds.
  void renew() { lease_.renew(); }
  // Publishes; the destructor closes the ledger and gives the lease back.
  void publish() { ledger_.publish(); }

 private:
  BriefHold(std::filesystem::path results, cluster::Lease lease);
  std::filesystem::path results_;
  cluster::Lease lease_;  // goes last
  Ledger ledger_;
  TakenIn taken_;
};

struct Delivery {
  std::string entry;             // its name in the inbox
  std::optional<TakenIn> taken;  // by this process; absent: the holder will
  std::string busy;              // names the holder then
};

// Seals `entry` (its epoch is filled in) and sees to it that somebody takes it in.
Delivery deliver(const std::filesystem::path& results, InboxEntry entry);

}  // namespace marquee::experiments
