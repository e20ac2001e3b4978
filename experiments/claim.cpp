#include "experiments/claim.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "cluster/durable_file.h"
#include "cluster/error.h"
#include "cluster/host.h"
#include "cluster/log.h"
#include "cluster/sha256.h"

namespace marquee::experiments {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = "claims";

}  // namespace

fs::path claim_file(const fs::path& results, const RunId& run) {
  return results / kFolder / run.text();
}

cluster::LeaseFence fence_of(const fs::path& results, const RunId& run, std::uint64_t epoch,
                             std::uint64_t claim) {
  if (claim > 0) return {claim_file(results, run), claim};
  return {results / cluster::kLeaseFile, epoch};
}

std::optional<cluster::Lease> try_claim(const fs::path& results, const RunId& run,
                                        cluster::LeaseWatch& watch, double stale_after_seconds) {
  cluster::create_directories_durably(results / kFolder);
  return cluster::Lease::try_acquire(claim_file(results, run), watch, stale_after_seconds, "run");
}

std::vector<ClaimState> open_claims(const fs::path& results) {
  std::vector<ClaimState> claims;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(results / kFolder, error)) {
    ClaimState claim{entry.path().filename().string(), {}};
    if (!cluster::is_sha256_hex(claim.run_id)) continue;
    try {
      claim.holder = cluster::read_lease_file(entry.path());
    } catch (const cluster::Error& problem) {
      cluster::log_warning("claims", problem.what());
      continue;
    }
    if (!claim.holder.released) claims.push_back(std::move(claim));
  }
  std::sort(claims.begin(), claims.end(),
            [](const ClaimState& a, const ClaimState& b) { return a.run_id < b.run_id; });
  return claims;
}

void wait_for_claims(const fs::path& results, const cluster::LeaseOptions& options,
                     const std::function<void()>& waiting) {
  const double started = cluster::monotonic_seconds();
  std::map<std::string, cluster::LeaseWatch> watches;
  for (bool first = true;; first = false) {
    std::vector<ClaimState> claims = open_claims(results);
    std::erase_if(claims, [&](const ClaimState& claim) {
      return cluster::is_free(claim.holder, watches[claim.run_id], options.stale_after_seconds);
    });
    if (claims.empty()) return;
    const ClaimState& one = claims.front();
    if (cluster::is_here(one.holder) ||
        cluster::monotonic_seconds() - started >= options.give_up_after_seconds) {
      throw cluster::Error(
          cluster::ErrorKind::busy,
          "run " + one.run_id.substr(0, 12) + " of results folder " + results.string() +
              " is being computed by " + cluster::describe(one.holder) + " (marquee work" +
              (claims.size() > 1 ? ", and " + std::to_string(claims.size() - 1) + " runs more"
                                 : "") +
              "); wait for it to end, or use another --out");
    }
    if (first) {
      cluster::log_warning("claims", std::to_string(claims.size()) + " runs are claimed, one by " +
                                         cluster::describe(one.holder) +
                                         "; waiting to see whether it still lives");
    }
    waiting();
    std::this_thread::sleep_for(std::chrono::duration<double>(options.poll_seconds));
  }
}

}  // namespace marquee::experiments
