// Makes the ledger again from the run folders, for a folder whose ledger.sqlite is lost or damaged.
// Every attempt's record holds the run's configuration, how it ended and what it measured. What the
// folders do not hold (sweeps and which runs belong to them, runs that nobody has started,
// cancellations, events) comes from the published copy, where that can be read.
#pragma once

#include <filesystem>

#include "cluster/lease.h"

namespace marquee::experiments {

struct RebuildReport {
  int runs = 0, attempts = 0;
  int skipped = 0;                   // folders that are no run's; each is named in the log
  int from_published = 0;            // runs that only the published copy knew
  std::filesystem::path kept_aside;  // the old ledger; empty: there was none
};

// The holder of `lease` alone; publishes the new ledger.
RebuildReport rebuild(const std::filesystem::path& results, const cluster::Lease& lease);

}  // namespace marquee::experiments
