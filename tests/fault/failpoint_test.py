"""SIGKILL at every named failpoint of coordinator, agent and trainer, and at random moments: the same command
again ends with the rows and hashes of an undisturbed sweep, nothing stands there twice, the database is sound
and no process is left. No-op trainers (`--simulate`); --soak kills 300 times at random instead of 20."""

import contextlib
import os
import random
import signal
import sys
import time
import unittest

from harness import FaultTest, failpoints

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

RANDOM_KILLS = 300 if os.environ.get("MARQUEE_SOAK") else 20


class Failpoint(FaultTest):
    def setUp(self):
        super().setUp()
        self.sweep_file.write_text(SWEEP)

    def run_once(self, out, **variables):
        return self.sweep("--simulate", out=out, environment=self.environment(**variables))

    def undisturbed(self):
        out = self.folder / "undisturbed"
        self.assert_exit(0, self.run_once(out))
        return self.sound_rows(out)

    def finish(self, out):
        self.assert_no_process_left()
        for _ in range(3):
            done = self.run_once(out)
            if done.returncode == 0:
                break
        self.assert_exit(0, done)
        self.assert_no_process_left()

    def test_every_failpoint(self):
        expected = self.undisturbed()
        self.assertEqual(8, len(expected[2]))
        names = failpoints()
        self.assertGreater(len(names), 20)
        elsewhere = {"trainer.checkpointed", "trainer.sampled", "trainer.exchanging", "trainer.joining_gang",  # real trainers alone pass these
                     "stage.copying",  # stage_test.py
                     "coordinator.inbox_read", "coordinator.inbox_taken"}  # inbox_test.py
        for name in names:
            if name in elsewhere:
                continue
            with self.subTest(name):
                out, once = self.folder / name, self.folder / f"{name}.once"
                self.run_once(out, MARQUEE_FAILPOINT=name, MARQUEE_FAILPOINT_ONCE=once)
                self.assertTrue(once.exists(), f"no process passed {name}")
                self.finish(out)
                self.assertEqual(expected, self.sound_rows(out))

    def test_later_passes(self):
        expected = self.undisturbed()
        for name, passes in (("coordinator.before_commit", 3), ("coordinator.after_commit", 4),
                             ("file.renamed", 5), ("file.synced", 6), ("trainer.tuned", 4), ("agent.sealed", 2)):
            with self.subTest(name):
                out, once = self.folder / name, self.folder / f"{name}.once"
                self.run_once(out, MARQUEE_FAILPOINT=f"{name}:{passes}", MARQUEE_FAILPOINT_ONCE=once)
                self.assertTrue(once.exists(), f"no process passed {name} {passes} times")
                self.finish(out)
                self.assertEqual(expected, self.sound_rows(out))

    def test_mpirun_as_its_ranks_end(self):
        """Ranks that wait for each other in MPI's end must not stay when mpirun is gone."""
        expected = self.undisturbed()
        for number in range(12):
            with self.subTest(number):
                out = self.folder / f"end-{number}"
                process = self.start_sweep("--simulate", "--json", out=out)
                self.wait_for(lambda: '"sweep":' in self.background_log()[self.seen:] or process.poll() is not None,
                              "the summary")
                self.seen = len(self.background_log())
                time.sleep(0.003 * number)
                for pid in self.mpirun():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                process.wait(timeout=60)
                self.finish(out)
                self.assertEqual(expected, self.sound_rows(out))

    seen = 0  # length of the log that has been looked at

    def victims(self):
        return self.processes("marquee") + self.mpirun()

    def test_random_moments(self):
        expected = self.undisturbed()
        seed = int(os.environ.get("MARQUEE_SEED", random.randrange(1 << 30)))
        chance = random.Random(seed)
        print(f"seed {seed}: MARQUEE_SEED={seed} repeats it", file=sys.stderr)
        for number in range(RANDOM_KILLS):
            with self.subTest(number=number, seed=seed):
                out = self.folder / f"random-{number}"
                process = self.start_sweep("--simulate", out=out)
                time.sleep(chance.uniform(0.05, 0.9))
                alive = self.victims()
                if alive:
                    with contextlib.suppress(ProcessLookupError):  # it may just have ended
                        os.kill(chance.choice(alive), signal.SIGKILL)
                process.wait(timeout=60)
                self.finish(out)
                self.assertEqual(expected, self.sound_rows(out))


if __name__ == "__main__":
    unittest.main()
