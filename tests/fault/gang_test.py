"""Gangs: several trainers tune one run together. The same bits for 1, 2 and 4 of them; a member that dies or stops is
known to all within seconds, and the run goes on from its checkpoint. (Gangs that are interrupted, or lose an agent,
mpirun or the coordinator: checkpoint_test.py.)"""

import os
import signal
import time
import unittest

from gang_harness import DEADLINE, KNOWN_WITHIN, GangTest
from harness import SOAK, USAGE  # without SOAK member 1 is killed by nccl_gang_test.py alone


class Gangs(GangTest):
    def test_the_same_bits_on_one_two_and_four_trainers(self):
        expected = self.alone(methods="prompt, finetune", steps=6)
        for gang in (2, 4):
            with self.subTest(gang=gang):
                self.write(gang, "prompt, finetune", steps=6)
                out = self.folder / f"gang{gang}"
                self.assert_exit(0, self.sweep(out=out, workers=gang, timeout=240))
                self.assertEqual(self.outcome(out), expected)
                for (run, attempt), _ in self.attempts(out).items():
                    logs = {log.name for log in (out / "runs" / run / f"attempt-{attempt}").glob("log*")}
                    self.assertEqual(logs, {"log", *(f"log-{rank}" for rank in range(1, gang))})
                self.assert_no_process_left()

    def test_singles_and_gangs_share_the_workers(self):
        self.alone(methods="prompt, finetune", steps=6)  # for its cache
        self.write(2, "prompt, none", steps=4, seeds="[0, 1]")
        self.assert_exit(0, self.sweep(workers=3, timeout=240))
        self.assertEqual(self.statuses(), {"done": 4})

    def test_a_gang_larger_than_the_world_is_refused(self):
        self.write(4)
        done = self.sweep(workers=2)
        self.assert_exit(USAGE, done)
        self.assertIn("a gang of 4", done.stderr)
        self.write(3)
        refused = self.sweep(workers=4)
        self.assert_exit(USAGE, refused)
        self.assertIn("'gang' is 3", refused.stderr)

    def test_members_that_die_or_stop_cost_what_is_behind_the_last_checkpoint(self):
        expected = self.alone(steps=60)
        for name, sent, members, kind, within in (
                ("killed", signal.SIGKILL, (0, 1) if SOAK else (0,), "crash", KNOWN_WITHIN),
                ("stopped", signal.SIGSTOP, (1,), "deadline", DEADLINE + KNOWN_WITHIN)):
            for member in members:
                with self.subTest(name, member=member):
                    process = self.in_mid_run(f"{name}-{member}")
                    victim = self.trainers()[member]
                    since = time.monotonic()
                    os.kill(victim, sent)
                    self.ended_within(since, within, kind)
                    process.wait(timeout=240)
                    self.assertEqual(process.returncode, 0, self.background_log())
                    self.assertEqual(self.outcome(self.out), expected)
                    self.assertRegex(next(iter(self.resumed_from().values())) or "none", "checkpoint-")
                    self.assert_no_process_left()

    def test_a_member_that_dies_in_an_exchange(self):
        expected = self.alone(steps=20)
        self.write(2, steps=20)
        for passes in (1, 30) if SOAK else (30,):
            with self.subTest(passes=passes):
                out, once = self.folder / f"exchange-{passes}", self.folder / f"exchange-{passes}.once"
                done = self.sweep(out=out, workers=2, timeout=240,
                                  environment=self.environment(MARQUEE_FAILPOINT=f"trainer.exchanging:{passes}",
                                                               MARQUEE_FAILPOINT_ONCE=once))
                self.assert_exit(0, done)
                self.assertTrue(once.exists(), "no process passed it")
                self.assertEqual(self.outcome(out), expected)
                self.assertEqual({attempt: record["status"] for (_, attempt), record in self.attempts(out).items()},
                                 {1: "failed", 2: "done"})
                self.assert_no_process_left()


if __name__ == "__main__":
    unittest.main()
