"""Gangs over NCCL from the sweep to the ledger, with a fake of NCCL (tests/fake_nccl) and trainers that compute on
CPUs: ids travel through the agents, results have the bits of a single trainer, and whatever fails ends the attempt
everywhere and is tried again with a new id."""

import json
import os
import signal
import subprocess
import time
import unittest

from gang_harness import DEADLINE, KNOWN_WITHIN, GangTest
from harness import BIN, ENVIRONMENT, MARQUEE

FAKE = BIN / "libfake_nccl.so"


class NcclGangs(GangTest):
    def setUp(self):
        super().setUp()
        self.spool = self.folder / "fake"
        self.spool.mkdir()

    def environment(self, **extra):
        return super().environment(MARQUEE_GANG="nccl", MARQUEE_NCCL=FAKE, MARQUEE_FAKE_NCCL_DIR=self.spool, **extra)

    def test_the_same_bits_on_one_and_four_trainers(self):
        expected = self.alone(methods="prompt, finetune", steps=6)
        self.assertEqual([], list(self.spool.iterdir()))
        self.write(4, "prompt, finetune", steps=6)
        self.assert_exit(0, self.sweep(workers=4, timeout=240))
        self.assertEqual(self.outcome(self.out), expected)
        # Two gangs met there; the last member to leave clears up.
        self.assertEqual([], list(self.spool.iterdir()))

    def test_members_that_die_or_stop(self):
        expected = self.alone(steps=60)
        for name, sent, kind, within in (("killed", signal.SIGKILL, "crash", KNOWN_WITHIN),
                                         ("stopped", signal.SIGSTOP, "deadline", DEADLINE + KNOWN_WITHIN)):
            with self.subTest(name):
                process = self.in_mid_run(name)
                since = time.monotonic()
                os.kill(self.trainers()[1], sent)
                self.ended_within(since, within, kind)
                process.wait(timeout=240)
                self.assertEqual(process.returncode, 0, self.background_log())
                self.assertEqual(self.outcome(self.out), expected)
                self.assert_no_process_left()

    def test_what_fails_in_nccl_is_named_and_tried_again(self):
        self.expected = self.alone(steps=20)
        self.write(2, steps=20)
        self.repeat("hangs end", "failures inside NCCL", (
            ({"MARQUEE_FAILPOINT": "trainer.joining_gang", "MARQUEE_FAILPOINT_ONCE": "{folder}/once"}, "crash", "signal 9"),
            ({"MARQUEE_FAKE_NCCL": "1:all_gather:30:remote"}, "environment", "NCCL: .*remote process"),
            ({"MARQUEE_FAKE_NCCL": "0:group_end:30:stuck"}, "environment", "NCCL: .*silent")),
            NcclGangs.fail_once, at_once=2)  # most of it is waiting for what the agents know

    def fail_once(self, case):
        variables, kind, message = case
        variables = {key: value.format(folder=self.folder) for key, value in variables.items()}
        self.assert_exit(0, self.sweep(workers=2, timeout=240, environment=self.environment(**variables)))
        self.assertEqual(self.outcome(self.out), self.expected)
        records = {attempt: record for (_, attempt), record in self.attempts().items()}
        self.assertEqual({attempt: record["status"] for attempt, record in records.items()}, {1: "failed", 2: "done"})
        self.assertEqual(records[1]["cause"]["kind"], kind, records[1])
        self.assertRegex(records[1]["cause"]["message"], message)
        self.assert_no_process_left()

    def doctor(self, ranks, *options, **extra):
        return subprocess.run(["mpirun", "--oversubscribe", "-n", str(ranks), str(MARQUEE), "doctor", "--gpus", *options],
                              env=self.environment(**extra), capture_output=True, text=True, timeout=120)

    def test_doctor_checks_a_gang(self):
        done = self.doctor(2, "--json")
        self.assert_exit(0, done)
        said = json.loads(done.stdout)
        self.assertEqual((said["ok"], said["problems"], said["left_out"]), (True, [], 0))
        self.assertEqual([member["rank"] for member in said["members"]], [0, 1])
        for member in said["members"]:
            self.assertTrue(member["made_anew"])
            self.assertTrue(all(sum_["seconds"] > 0 for sum_ in member["sums"]))
        failed = self.doctor(2, "--patience", "2", MARQUEE_FAKE_NCCL="1:group_end:1:stuck")
        self.assert_exit(ENVIRONMENT, failed)
        self.assertIn("FAIL", failed.stdout)
        self.assertIn("has been silent for 2 s", failed.stdout)
        self.assert_no_process_left()


if __name__ == "__main__":
    unittest.main()
