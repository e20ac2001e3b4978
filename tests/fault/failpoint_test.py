"""SIGKILL at every named failpoint of coordinator, agent and trainer, and at random moments: the same command
again ends with the rows and hashes of an undisturbed sweep, nothing stands there twice, the database is sound
and no process is left. No-op trainers (`--simulate`); --soak kills 300 times at random instead of 10."""

import contextlib
import os
import random
import signal
import sys
import time
import unittest

from harness import SOAK, FaultTest, failpoints

SWEEP = """\
name: simulated
oracles: false
defaults: {samples: 8}
matrix:
  task: [drawn/dsprites_location, drawn/shapes_count]
  shots: [5]
  method: [prompt, none]
  seed: [0, 1]
simulate:
  seconds: 0.02
  steps: 2
  checkpoints: 2
"""

RANDOM_KILLS = 300 if SOAK else 10
KILLS_AT_THE_END = 48 if SOAK else 6
AT_ONCE = 3  # most of each case is waiting for mpirun
PROMISE = "no acknowledged result lost or doubled"


class Failpoint(FaultTest):
    def setUp(self):
        super().setUp()
        self.sweep_file.write_text(SWEEP)
        out = self.folder / "undisturbed"
        self.assert_exit(0, self.run_once(out))
        self.expected = self.sound_rows(out)
        self.assertEqual(8, len(self.expected[2]))

    def run_once(self, out, **variables):
        return self.sweep("--simulate", out=out, environment=self.environment(**variables))

    def finish(self):
        """The same command again and again ends with what an undisturbed sweep has."""
        self.assert_no_process_left()
        for _ in range(3):
            done = self.run_once(self.out)
            if done.returncode == 0:
                break
        self.assert_exit(0, done)
        self.assert_no_process_left()
        self.assertEqual(self.expected, self.sound_rows(self.out))

    def kill_at(self, failpoint):
        once = self.folder / "once"
        self.run_once(self.out, MARQUEE_FAILPOINT=failpoint, MARQUEE_FAILPOINT_ONCE=once)
        self.assertTrue(once.exists(), f"no process passed {failpoint}")
        self.finish()

    def test_every_failpoint(self):
        names = failpoints()
        self.assertGreater(len(names), 20)
        elsewhere = {"trainer.checkpointed", "trainer.sampled", "trainer.exchanging", "trainer.joining_gang",  # real trainers alone pass these
                     "stage.copying",  # stage_test.py
                     "worker.claimed", "worker.sealed", "worker.handed_in",  # work_test.py
                     "submit.recorded", "submit.submitted",  # slurm/controller_test.py
                     "coordinator.inbox_read", "coordinator.inbox_taken"}  # inbox_test.py
        later = ["coordinator.before_commit:3", "coordinator.after_commit:4", "file.renamed:5", "file.synced:6",
                 "trainer.tuned:4", "agent.sealed:2"]
        self.repeat(PROMISE, "kills at failpoints", [name for name in names if name not in elsewhere] + later,
                    Failpoint.kill_at, at_once=AT_ONCE)

    def kill_mpirun_as_its_ranks_end(self, number):
        process = self.start_sweep("--simulate", "--json")
        self.wait_for(lambda: '"sweep":' in self.background_log() or process.poll() is not None, "the summary")
        time.sleep(0.003 * (number % 12))
        for pid in self.mpirun():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(timeout=60)
        self.finish()

    def test_mpirun_as_its_ranks_end(self):
        """Ranks that wait for each other in MPI's end must not stay when mpirun is gone."""
        self.repeat(PROMISE, "kills of mpirun as its ranks end", range(KILLS_AT_THE_END),
                    Failpoint.kill_mpirun_as_its_ranks_end)

    def kill_at_random(self, seed):
        chance = random.Random(seed)
        process = self.start_sweep("--simulate")
        time.sleep(chance.uniform(0.05, 0.9))
        alive = self.processes("marquee") + self.mpirun()
        if alive:
            with contextlib.suppress(ProcessLookupError):  # it may just have ended
                os.kill(chance.choice(alive), signal.SIGKILL)
        process.wait(timeout=60)
        self.finish()

    def test_random_moments(self):
        seed = int(os.environ.get("MARQUEE_SEED", random.randrange(1 << 30)))
        print(f"seed {seed}: MARQUEE_SEED={seed} repeats it", file=sys.stderr)
        self.repeat(PROMISE, "kills at random moments", range(seed, seed + RANDOM_KILLS), Failpoint.kill_at_random,
                    at_once=AT_ONCE)


if __name__ == "__main__":
    unittest.main()
