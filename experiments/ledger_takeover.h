// The ledger after a lease was taken over from a holder on another host, which may only have stood
// still: it still has the file open, its lock may still bar others, and it may write when it wakes
// up. Not thread safe.
#pragma once

#include <filesystem>

#include "cluster/lease.h"
#include "experiments/ledger.h"

namespace marquee::experiments {

// Puts a copy, with everything that was committed, in the place of results/ledger.sqlite: whatever
// the old holder writes from now on goes into a file without a name. Nothing where there is no
// ledger. For who has the lease, before Ledger::open. Throws environment when the copy is not
// sound; the ledger is as it was then.
void detach_ledger(const std::filesystem::path& results);

// Ledger::open for the holder of a lease, detached first where that was taken over.
Ledger open_ledger(const std::filesystem::path& results, const cluster::Lease& lease);

}  // namespace marquee::experiments
