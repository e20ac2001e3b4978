"""SIGKILL in mid-sweep, and graceful stops. Of a trainer: its own attempt alone fails. Of coordinator or mpirun: no
finished run is computed again, and the same command goes on. Ends are those of an undisturbed sweep, and no process is
left. No-op and fake trainers: seconds, not minutes. --soak: 200 trainers, and 100 times coordinator or mpirun."""

import collections
import contextlib
import os
import random
import re
import signal
import sys
import time

from harness import SOAK, FaultTest, main

SWEEP = """\
name: simulated
oracles: false
defaults: {{samples: 8}}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [none]
  seed: {seeds}
simulate: {{seconds: {seconds}, steps: 10}}
"""

WORKERS = 4
KILLS_A_SWEEP = 10  # of trainers
LOSSES_A_SWEEP = 5  # of coordinator or mpirun
CRASHES_TO_SET_ASIDE = 3


class Simulated(FaultTest):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("MARQUEE_SEED", random.randrange(1 << 30)))
        print(f"seed {seed}: MARQUEE_SEED={seed} repeats it", file=sys.stderr)
        self.chance = random.Random(seed)

    def write_sweep(self, runs, seconds):
        self.sweep_file.write_text(SWEEP.format(seeds=list(range(runs)), seconds=seconds))

    def undisturbed(self):
        """Rows of the same runs, computed in no time."""
        at_once, out = self.folder / "at_once.yaml", self.folder / "undisturbed"
        at_once.write_text(re.sub("seconds: [0-9.]+", "seconds: 0", self.sweep_file.read_text()))
        self.assert_exit(0, self.sweep("--simulate", sweep_file=at_once, out=out))
        return self.sound_rows(out)

    def records(self, status):
        """(run id, attempt) of all attempts whose record says so."""
        return {key for key, record in self.attempts().items() if record["status"] == status}

    # -- trainers ----------------------------------------------------------------------------------------

    def kill_a_trainer(self):
        """Kills one in the midst of an attempt; its slot. It is stopped first, so that its attempt stays the same
        while somebody looks whether every slot has one."""
        while True:
            time.sleep(self.chance.uniform(0.05, 0.35))
            rank = self.chance.randrange(WORKERS) + 1
            agent = self.agents_by_rank().get(rank)
            mine = [pid for pid in self.trainers() if agent and self.parent_of(pid) == agent]
            if not mine:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(mine[0], signal.SIGSTOP)
                time.sleep(0.02)
                if len(self.records("running")) == WORKERS:
                    os.kill(mine[0], signal.SIGKILL)
                    return rank - 1
                os.kill(mine[0], signal.SIGCONT)

    @staticmethod
    def parent_of(pid):
        try:
            with open(f"/proc/{pid}/stat") as file:
                return int(file.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            return None

    def test_a_trainers_death_costs_its_own_attempt_only(self):
        self.write_sweep(24, seconds=0.8)
        self.expected = self.undisturbed()
        self.repeat("a trainer's death costs its own attempt only", "killed trainers",
                    range(20 if SOAK else 1), Simulated.kill_trainers_of_one_sweep, each=KILLS_A_SWEEP)

    def kill_trainers_of_one_sweep(self, _):
        process = self.start_sweep("--simulate", workers=WORKERS, slots=WORKERS)
        self.wait_for(lambda: len(self.records("running")) == WORKERS, "every slot's first attempt")
        slots = [self.kill_a_trainer() for _ in range(KILLS_A_SWEEP)]
        code = process.wait(timeout=120)
        self.assert_no_process_left()
        failed = self.rows("SELECT slot, cause_kind, signal FROM attempts WHERE status = 'failed' ORDER BY slot")
        self.assertEqual([(slot, "crash", signal.SIGKILL) for slot in sorted(slots)], failed)
        # Nobody else's attempt ended otherwise than by being done, and none was made again without need.
        crashes = collections.Counter(run for run, in self.rows("SELECT run_id FROM attempts WHERE status = 'failed'"))
        aside = {run for run, count in crashes.items() if count == CRASHES_TO_SET_ASIDE}
        self.assertEqual(1 if aside else 0, code, self.background_log())
        for run, status in self.rows("SELECT run_id, status FROM runs"):
            self.assertEqual("failed" if run in aside else "done", status)
            expected = [(n + 1, "failed") for n in range(crashes[run])]
            expected += [] if run in aside else [(crashes[run] + 1, "done")]
            self.assertEqual(expected, self.rows("SELECT attempt, status FROM attempts WHERE run_id = '%s' "
                                                 "ORDER BY attempt" % run))
        if not aside:
            self.assertEqual(self.expected, self.sound_rows(self.out))

    # -- coordinator and mpirun --------------------------------------------------------------------------

    def published(self):
        """{(run id, attempt): metric rows} of what readers have been told is done."""
        if not (self.out / "results.sqlite").exists():
            return {}
        rows = collections.defaultdict(list)
        for run, attempt, *row in self.rows("SELECT a.run_id, a.attempt, m.metric, m.value FROM attempts a JOIN metrics m "
                                            "USING (run_id) WHERE a.status = 'done' ORDER BY 1, 2, 3"):
            rows[run, attempt].append(row)
        return dict(rows)

    def test_a_lost_coordinator_or_mpirun_costs_no_finished_run(self):
        self.write_sweep(40, seconds=0.3)
        self.expected = self.undisturbed()
        self.repeat("coordinator or mpirun loss costs no finished run", "losses",
                    range(20 if SOAK else 1), Simulated.lose_the_sweep_again_and_again, each=LOSSES_A_SWEEP)

    def lose_the_sweep_again_and_again(self, number):
        finished, told = set(), {}
        for loss in range(LOSSES_A_SWEEP):
            process = self.start_sweep("--simulate")
            self.wait_for(lambda: len(self.records("done")) > len(finished), "one more finished run")
            time.sleep(self.chance.uniform(0, 0.6))
            told.update(self.published())
            victim = self.coordinator() if (loss + number) % 2 else self.mpirun()[0]
            os.kill(victim, signal.SIGKILL)
            self.assertNotEqual(0, process.wait(timeout=30))
            self.assert_no_process_left()
            self.assertLessEqual(finished, self.records("done"))
            finished = self.records("done")
        self.assertLess(len(finished), 40, "it was over before the last loss")
        self.assertGreaterEqual(len(finished), LOSSES_A_SWEEP)
        done = self.sweep("--simulate")
        self.assert_exit(0, done)
        self.assertIn(f"{len(finished)} of them done before", done.stderr)
        last = {run: (attempt, status) for run, attempt, status in
                self.rows("SELECT run_id, attempt, status FROM attempts ORDER BY attempt")}
        for run, attempt in finished:
            self.assertEqual((attempt, "done"), last[run], "a finished run was computed again")
        rows = self.published()
        self.assertEqual(told, {key: rows.get(key) for key in told})
        self.assertEqual(self.expected, self.sound_rows(self.out))
        self.assert_no_process_left()


class Stops(FaultTest):
    """Fake trainers, which seal a record when they are interrupted."""

    def in_mid_sweep(self):
        """A sweep of which both trainers tune right now."""
        process = self.start_sweep(environment=self.environment(FAKE_STEP_SECONDS=0.15))
        self.wait_for(lambda: len(self.trainers()) == 2 and list(self.out.glob("runs/*/attempt-*/*")), "mid-sweep")
        return process

    def finish_and_compare(self):
        self.assert_no_process_left()
        self.assert_exit(0, self.sweep())
        self.assertEqual({"done": 4}, self.statuses())
        undisturbed = self.folder / "undisturbed"
        if not undisturbed.exists():
            self.assert_exit(0, self.sweep(out=undisturbed))
        self.assertEqual(self.metric_rows(undisturbed), self.metric_rows())
        self.assert_no_process_left()

    def test_the_command_itself_is_killed(self):
        process = self.in_mid_sweep()
        process.kill()
        process.wait(timeout=30)
        self.finish_and_compare()

    def test_graceful_stop_ends_with_128_plus_signal(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                self.out = self.folder / number.name
                process = self.in_mid_sweep()
                process.send_signal(number)
                self.assertEqual(128 + number, process.wait(timeout=30), self.background_log())
                stopped = [r for r in self.attempts().values() if r["status"] == "interrupted"]
                self.assertEqual(2, len(stopped), self.attempts())
                self.finish_and_compare()


if __name__ == "__main__":
    main()
