"""A trainer that was stopped (SIGSTOP) says nothing and dies of nothing: it is replaced within its deadline and the
run completes; and when its agent is killed, it goes with it. --soak: ten minutes of full load give no false alarm."""

import os
import signal
import subprocess
import sys
import time
import unittest

from harness import FaultTest

DEADLINE_SECONDS = 3

SWEEP = """\
name: simulated
oracles: false
defaults: {{samples: 8}}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [none]
  seed: [{seeds}]
simulate: {{seconds: {seconds}, steps: {steps}, deadline_seconds: {deadline}, files: {files}}}
"""


class StoppedTrainer(FaultTest):
    def write_sweep(self, runs, **simulate):
        seeds = ", ".join(str(seed) for seed in range(runs))
        self.sweep_file.write_text(SWEEP.format(seeds=seeds, **simulate))

    def failed_attempts(self):
        return self.rows("SELECT cause_kind, count(*) FROM attempts WHERE status <> 'done' GROUP BY cause_kind")

    def test_is_replaced_within_its_deadline_and_the_run_completes(self):
        self.write_sweep(4, seconds=6, steps=30, deadline=DEADLINE_SECONDS, files="true")
        process = self.start_sweep("--simulate")
        stopped = self.wait_for(lambda: self.processes("simulated-trainer", "--control-fd"), "a trainer")[0]
        time.sleep(1)
        os.kill(stopped, signal.SIGSTOP)
        since = time.monotonic()
        self.wait_for(lambda: stopped not in self.processes("simulated-trainer"), "the stopped trainer's end")
        took = time.monotonic() - since
        self.assertGreater(took, DEADLINE_SECONDS - 1.5, "replaced before its deadline")
        self.assertLess(took, DEADLINE_SECONDS + 5)
        self.assertEqual(0, process.wait(timeout=120), self.background_log())
        self.assertEqual({"done": 4}, self.statuses())
        self.assertEqual([("deadline", 1)], self.failed_attempts())
        self.assert_no_process_left()

    def test_that_hangs_goes_with_its_agent(self):
        """It reads no closed channel and nobody is left to kill it: the kernel must (PDEATHSIG). A stopped one would
        not show that: the kernel wakes and ends stopped members of a group that lost its parents."""
        self.write_sweep(4, seconds=1, steps=2, deadline=600, files="true, faults: [{fault: hang}]")
        process = self.start_sweep("--simulate")
        trainers = self.wait_for(lambda: len(found := self.processes("simulated-trainer")) == 2 and found, "trainers")
        self.wait_for(lambda: all(self.sleeps_in_pause(pid) for pid in trainers), "both trainers to hang")
        for pid in sorted(set(self.processes()) - set(trainers)):
            os.kill(pid, signal.SIGKILL)
        process.wait(timeout=30)
        self.assert_no_process_left()

    @staticmethod
    def sleeps_in_pause(pid):
        """In the system call that the simulated hang sleeps in: pause, 34 on x86-64; elsewhere ppoll (73)."""
        with open(f"/proc/{pid}/syscall") as file:
            return file.read().split()[0] in ("34", "73")

    @unittest.skipUnless(os.environ.get("MARQUEE_SOAK"), "ten minutes: scripts/test --soak")
    def test_full_load_gives_no_false_alarm(self):
        self.write_sweep(1200, seconds=1, steps=10, deadline=10, files="false")
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"], env=self.environment())
                for _ in range(4 * len(os.sched_getaffinity(0)))]
        try:
            started = time.monotonic()
            self.assert_exit(0, self.sweep("--simulate", timeout=3600))
            self.assertGreater(time.monotonic() - started, 590)
        finally:
            for process in busy:
                process.kill()
                process.wait()
        self.assertEqual({"done": 1200}, self.statuses())
        self.assertEqual([], self.failed_attempts())


if __name__ == "__main__":
    unittest.main()
