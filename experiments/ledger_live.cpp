// The live state that `marquee status` shows: the coordinator and its slots.
#include "cluster/host.h"
#include "experiments/ledger_state.h"

namespace marquee::experiments {

void Ledger::enter_live(const CoordinatorState& coordinator, const std::vector<SlotState>& slots) {
  state_->transaction([&] {
    const Use row = state_->prepared(
        "INSERT INTO coordinators (epoch, sweep, host, pid, workers, started, updated, runs, done,"
        " failed, cancelled, fresh_done, runs_per_hour, seconds_left, ended)"
        " VALUES (?1,?2,?3,?4,?5,?6,?6,?7,?8,?9,?10,?11,?12,?13, CASE WHEN ?14 THEN ?6 END)"
        " ON CONFLICT (epoch) DO UPDATE SET updated = excluded.updated, runs = excluded.runs,"
        " done = excluded.done, failed = excluded.failed, cancelled = excluded.cancelled,"
        " fresh_done = excluded.fresh_done, runs_per_hour = excluded.runs_per_hour,"
        " seconds_left = excluded.seconds_left, ended = excluded.ended");
    const auto number = [](std::size_t count) { return static_cast<std::int64_t>(count); };
    row.bind(1, static_cast<std::int64_t>(state_->epoch));
    row.bind(2, coordinator.sweep);
    row.bind(3, coordinator.host);
    row.bind(4, coordinator.pid);
    row.bind(5, coordinator.workers);
    row.bind(6, cluster::utc_now());
    row.bind(7, number(coordinator.runs));
    row.bind(8, number(coordinator.done));
    row.bind(9, number(coordinator.failed));
    row.bind(10, number(coordinator.cancelled));
    row.bind(11, number(coordinator.fresh_done));
    row.bind_if(coordinator.runs_per_hour.has_value(), 12, coordinator.runs_per_hour.value_or(0));
    row.bind_if(coordinator.seconds_left.has_value(), 13, coordinator.seconds_left.value_or(0));
    row.bind(14, coordinator.ended ? 1 : 0);
    row.exec();
    state_->prepared("DELETE FROM slots").exec();
    for (const SlotState& slot : slots) {
      const Use insert = state_->prepared(
          "INSERT INTO slots (host, slot, run_id, attempt, phase, step, total, since, progressed,"
          " deadline) VALUES (?,?,?,?,?,?,?,?,?,?)");
      const bool busy = !slot.run_id.empty();
      insert.bind(1, slot.host);
      insert.bind(2, slot.slot);
      insert.bind_if(busy, 3, slot.run_id);
      insert.bind_if(busy, 4, slot.attempt);
      insert.bind_if(busy, 5, slot.phase);
      insert.bind_if(busy, 6, slot.step);
      insert.bind_if(busy, 7, slot.total);
      insert.bind_if(busy, 8, slot.since);
      insert.bind_if(busy, 9, slot.progressed);
      insert.bind_if(busy, 10, slot.deadline);
      insert.exec();
    }
  });
}

}  // namespace marquee::experiments
