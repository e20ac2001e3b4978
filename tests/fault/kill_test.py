"""SIGKILL of a trainer, of mpirun, of the coordinator in mid-sweep, and graceful stops: the same command
again ends with the rows of an undisturbed sweep, and no process is left. Fake trainer: seconds, not minutes."""

import os
import signal
import unittest

from harness import FaultTest


class Kill(FaultTest):
    def setUp(self):
        super().setUp()
        self.slow = self.environment(FAKE_STEP_SECONDS=0.15)

    def undisturbed(self):
        out = self.folder / "undisturbed"
        self.assert_exit(0, self.sweep(out=out))
        return self.metric_rows(out)

    def in_mid_sweep(self):
        """A sweep of which both trainers tune right now."""
        process = self.start_sweep(environment=self.slow)
        self.wait_for(lambda: len(self.trainers()) == 2 and list(self.out.glob("runs/*/attempt-*/*")), "mid-sweep")
        return process

    def finish_and_compare(self):
        self.assert_no_process_left()
        self.assert_exit(0, self.sweep())
        self.assertEqual({"done": 4}, self.statuses())
        self.assertEqual(self.undisturbed(), self.metric_rows())
        self.assert_no_process_left()

    def test_trainer(self):
        process = self.in_mid_sweep()
        os.kill(self.trainers()[0], signal.SIGKILL)
        self.assertEqual(0, process.wait(timeout=60), self.background_log())
        signals = [record["cause"].get("signal") for record in self.attempts().values()
                   if record["status"] == "failed"]
        self.assertEqual([signal.SIGKILL], signals)
        self.assertEqual(self.undisturbed(), self.metric_rows())

    def test_mpirun(self):
        process = self.in_mid_sweep()
        os.kill(self.mpirun()[0], signal.SIGKILL)
        self.assertNotEqual(0, process.wait(timeout=30))
        self.finish_and_compare()

    def test_coordinator(self):
        process = self.in_mid_sweep()
        os.kill(self.coordinator(), signal.SIGKILL)
        self.assertNotEqual(0, process.wait(timeout=30))
        self.finish_and_compare()

    def test_the_command_itself(self):
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
    unittest.main()
