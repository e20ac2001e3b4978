// What a new holder of the lease does first: take in what earlier attempts sealed, and name the end
// of those that were cut off.
#pragma once

#include <filesystem>

#include "experiments/ledger.h"

namespace marquee::experiments {

struct RecoveryReport {
  int taken_in = 0;     // sealed attempts that the ledger did not know as ended
  int interrupted = 0;  // attempts that ended without a record
};

// Reads every run folder of the runs that the ledger knows. A sealed attempt's record counts
// whatever its epoch; stored evaluations that the ledger lacks are entered; an attempt entered as
// running by an earlier epoch without one is entered as interrupted.
RecoveryReport recover(Ledger& ledger, const std::filesystem::path& results);

// The end, now, of an attempt that nobody sealed.
void end_cut_off(AttemptRecord& record);

}  // namespace marquee::experiments
