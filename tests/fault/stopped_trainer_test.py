"""Whoever was stopped (SIGSTOP) says nothing and dies of nothing. Three trainers: each is replaced within its deadline
and its run completes; and when its agent is killed, a trainer that hangs goes with it. Full load for 15 s gives no
false alarm. --soak: 51 trainers, an agent (two minutes), the coordinator (a quarter of an hour), ten minutes of load."""

import os
import signal
import subprocess
import sys
import time
import unittest

from harness import SOAK, FaultTest, tell_soak

DEADLINE_SECONDS = 3
STOPPED = 3  # trainers of one sweep
AGENT_SILENCE_SECONDS, COORDINATOR_SILENCE_SECONDS = 120, 900  # orchestrator/sweep/timing.h
LOAD_RUNS = 1200 if SOAK else 30  # of one second, on two workers

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
        self.write_sweep(STOPPED, seconds=3, steps=15, deadline=DEADLINE_SECONDS, files="true")
        self.repeat("hangs end", "stopped trainers", range(17 if SOAK else 1), StoppedTrainer.stop_three, each=STOPPED)

    def stop_three(self, _):
        process = self.start_sweep("--simulate", workers=STOPPED, slots=STOPPED)
        stopped = self.wait_for(lambda: len(found := self.trainers()) == STOPPED and found, "the trainers")
        time.sleep(1)
        for trainer in stopped:
            os.kill(trainer, signal.SIGSTOP)
        since = time.monotonic()
        self.wait_for(lambda: set(stopped) & set(self.trainers()) != set(stopped), "the first stopped trainer's end")
        self.assertGreater(time.monotonic() - since, DEADLINE_SECONDS - 1.5, "replaced before its deadline")
        self.wait_for(lambda: not set(stopped) & set(self.trainers()), "the stopped trainers' end")
        self.assertLess(time.monotonic() - since, DEADLINE_SECONDS + 5)
        self.assertEqual(0, process.wait(timeout=120), self.background_log())
        self.assertEqual({"done": STOPPED}, self.statuses())
        self.assertEqual([("deadline", STOPPED)], self.failed_attempts())
        self.assert_no_process_left()

    @unittest.skipUnless(SOAK, "two minutes: scripts/test --soak")
    def test_an_agent_that_is_stopped_is_noticed(self):
        self.stop_and_go_on(lambda: self.agents()[0], AGENT_SILENCE_SECONDS)
        self.assertIn(f"has been silent for {AGENT_SILENCE_SECONDS} s", self.background_log())
        tell_soak("hangs end", 1, "stopped agent", 0)

    @unittest.skipUnless(SOAK, "a quarter of an hour: scripts/test --soak")
    def test_a_coordinator_that_is_stopped_is_noticed(self):
        self.stop_and_go_on(self.coordinator, COORDINATOR_SILENCE_SECONDS)
        tell_soak("hangs end", 1, "stopped coordinator", 0)

    def stop_and_go_on(self, victim, silence):
        """The sweep ends for want of it, and not sooner; the same command goes on."""
        self.write_sweep(8, seconds=silence, steps=10, deadline=2 * silence, files="true")
        process = self.start_sweep("--simulate")
        self.wait_for(lambda: len(self.trainers()) == 2, "the trainers")
        time.sleep(1)
        os.kill(victim(), signal.SIGSTOP)
        since = time.monotonic()
        self.assertNotEqual(0, process.wait(timeout=silence + 120))
        self.assertGreater(time.monotonic() - since, silence - 10)
        self.assert_no_process_left(timeout=120)
        self.write_sweep(8, seconds=0, steps=1, deadline=10, files="true")
        self.assert_exit(0, self.sweep("--simulate"))
        self.assertEqual({"done": 8}, self.statuses())

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

    def test_full_load_gives_no_false_alarm(self):
        self.write_sweep(LOAD_RUNS, seconds=1, steps=10, deadline=10, files="false")
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"], env=self.environment())
                for _ in range(4 * len(os.sched_getaffinity(0)))]
        try:
            started = time.monotonic()
            self.assert_exit(0, self.sweep("--simulate", timeout=3600))
            self.assertGreaterEqual(time.monotonic() - started, LOAD_RUNS / 2)
        finally:
            for process in busy:
                process.kill()
                process.wait()
        self.assertEqual({"done": LOAD_RUNS}, self.statuses())
        self.assertEqual([], self.failed_attempts())
        tell_soak("zero false alarms under load", LOAD_RUNS, "runs of one second", 0)


if __name__ == "__main__":
    unittest.main()
