"""Ranks that end their MPI world while their launcher dies, or does not answer, must not stay: MPI_Abort waits for the
launcher's answer, for ever where that never comes. --soak kills 300 times instead of 20."""

import os
import signal
import subprocess
import unittest

from harness import BIN, SOAK, FaultTest

PROBE = BIN / "marquee_abort_probe"
RANKS = 4
KILLS = 300 if SOAK else 20
PROMISE = "hangs end"


class MpiAbort(FaultTest):
    def setUp(self):
        super().setUp()
        if not PROBE.exists():
            self.skipTest(f"{PROBE} is not built")

    def start_ranks(self):
        """mpirun with its ranks, which have all said that they are there; they abort when self.now() is."""
        process = subprocess.Popen(["mpirun", "--quiet", "--oversubscribe", "-n", str(RANKS), PROBE, self.now()],
                                   env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for _ in range(RANKS):
            self.assertIn(b"is up", process.stdout.readline())
        return process

    def now(self):
        return self.folder / "now"

    def end(self, process):
        process.kill()
        process.wait()

    def test_an_abort_ends_all(self):
        process = self.start_ranks()
        self.now().touch()
        self.assertEqual(3, process.wait(timeout=60))
        self.assert_no_process_left()

    def test_a_launcher_that_does_not_answer(self):
        process = self.start_ranks()
        os.kill(process.pid, signal.SIGSTOP)
        self.now().touch()
        self.wait_for(lambda: self.processes() == [process.pid], "the ranks to end without their launcher")
        self.end(process)

    def kill_the_launcher(self, number):
        process = self.start_ranks()
        if number % 2:  # the abort has begun, or is about to
            self.now().touch()
        self.end(process)
        self.assert_no_process_left()

    def test_a_launcher_that_dies(self):
        self.repeat(PROMISE, "launchers killed as their ranks abort", range(KILLS), MpiAbort.kill_the_launcher)


if __name__ == "__main__":
    unittest.main()
