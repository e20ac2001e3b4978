// A claim: the lease of one run, results/claims/<run id>. Who computes runs without a coordinator
// (`marquee work`, elements of a job array) claims each before it starts, and renews the claim
// while it works, so that any number can share a sweep through files alone. Each claim on a run
// takes a higher epoch; an attempt that was begun under an earlier one is not sealed, and of two
// that were sealed all the same one counts. Functions; thread safe.
//
// A coordinator and claims keep out of each other's way: a coordinator waits for claims to end
// before it starts, and nobody claims while a coordinator holds the folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cluster/lease.h"
#include "experiments/run_config.h"

namespace marquee::experiments {

inline constexpr const char* kSweepRole = "sweep";  // LeaseRecord::role of a coordinator

std::filesystem::path claim_file(const std::filesystem::path& results, const RunId& run);

// What an attempt is held against before it is sealed: the run's claim where it was begun under
// one, else the results folder's lease.
cluster::LeaseFence fence_of(const std::filesystem::path& results, const RunId& run,
                             std::uint64_t epoch, std::uint64_t claim);

// Makes results/claims where it is missing. Nothing while its holder may live.
std::optional<cluster::Lease> try_claim(const std::filesystem::path& results, const RunId& run,
                                        cluster::LeaseWatch& watch, double stale_after_seconds);

struct ClaimState {
  std::string run_id;
  cluster::LeaseRecord holder;
};
// Claims that have not been given back, whether or not their holders live. Other files are skipped.
std::vector<ClaimState> open_claims(const std::filesystem::path& results);

// For a coordinator that has the results folder's lease: returns once no claim's holder lives.
// Calls `waiting` about once a second. Throws Error{busy} naming a holder after
// options.give_up_after_seconds, at once when it is of this host.
void wait_for_claims(const std::filesystem::path& results, const cluster::LeaseOptions& options,
                     const std::function<void()>& waiting);

}  // namespace marquee::experiments
