#include "cluster/failpoint.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "cluster/error.h"
#include "cluster/suggest.h"

namespace marquee::cluster {
namespace {

struct Chosen {
  std::string name;  // empty: none
  long pass = 1;     // dies at this one
  std::string once;  // file that says it has happened
};

bool known(std::string_view name) {
  const auto& names = failpoint_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

Chosen chosen_by_environment() {
  Chosen chosen;
  const char* value = std::getenv("MARQUEE_FAILPOINT");
  if (value == nullptr || *value == '\0') return chosen;
  const std::string text(value);
  const std::size_t colon = text.find(':');
  chosen.name = text.substr(0, colon);
  bool whole = true;
  if (colon != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, chosen.pass);
    whole = error == std::errc() && rest == end && chosen.pass > 0;
  }
  if (!known(chosen.name) || !whole) {
    const std::vector<std::string> names(failpoint_names().begin(), failpoint_names().end());
    throw_usage("MARQUEE_FAILPOINT is '" + text + "'; expected NAME or NAME:N with one of " +
                join(names));
  }
  if (const char* once = std::getenv("MARQUEE_FAILPOINT_ONCE")) chosen.once = once;
  return chosen;
}

// False when another process has died there before.
bool first_to_die(const std::string& once) {
  if (once.empty()) return true;
  const int fd = ::open(once.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  ::close(fd);
  return true;
}

}  // namespace

const std::vector<std::string_view>& failpoint_names() {
  static const std::vector<std::string_view> names{
      "coordinator.lease_taken",    // before the ledger is opened
      "coordinator.registered",     // the sweep is in the ledger, nothing taken in yet
      "coordinator.recovered",      // what earlier attempts left is taken in
      "coordinator.inbox_read",     // entries of the inbox read, not committed (any holder)
      "coordinator.inbox_taken",    // committed, still in the inbox
      "coordinator.before_commit",  // results and starts entered, not committed
      "coordinator.after_commit",   // committed, agents not told
      "coordinator.assigned",       // agents told
      "coordinator.collecting",     // before each file that a finished run no longer needs goes
      "coordinator.before_publish",
      "coordinator.published",
      "coordinator.before_end",  // last publication made, lease held
      "agent.welcomed",
      "agent.assigned",      // before the trainer is told, or started
      "agent.trainer_told",  // before its first message
      "agent.progress",      // on relaying the trainer's progress
      "agent.before_seal",   // the trainer has ended its attempt, the coordinator not been told
      "agent.sealed",        // told
      "trainer.started",     // channel open
      "trainer.run_received",
      "trainer.joining_gang",    // rank 0 has made the id of a gang over NCCL
      "trainer.exchanging",      // its agent told that it waits for a member of its gang
      "trainer.tuned",           // after a tuning step
      "trainer.checkpointed",    // after a checkpoint is in place
      "trainer.sampled",         // images generated, nothing written
      "trainer.result_written",  // result.h5 in place, attempt.json not
      "trainer.sealed",          // attempt.json in place, the agent not told
      "worker.claimed",          // a run claimed, its attempt's folder taken, the agent not told
      "worker.sealed",           // an attempt has ended, nothing handed in
      "worker.handed_in",        // in the inbox or in the ledger, the claim still held
      "submit.recorded",         // the job's record is durable, sbatch not asked
      "submit.submitted",        // sbatch has answered, the number is not recorded
      "stage.copying",           // a block of a file copied to the host's own disk
      "file.written",            // staged, not synced
      "file.synced",             // synced, not renamed
      "file.renamed",            // renamed, folder not synced
  };
  return names;
}

void failpoint(std::string_view name) {
  static const Chosen chosen = chosen_by_environment();
  static long passes = 0;
  if (chosen.name.empty()) return;
  MARQUEE_CHECK(known(name), "unlisted failpoint " + std::string(name));
  if (chosen.name != name || ++passes != chosen.pass) return;
  if (first_to_die(chosen.once)) ::kill(::getpid(), SIGKILL);
}

}  // namespace marquee::cluster
