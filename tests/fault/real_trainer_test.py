"""The real trainer on a small sweep: the same rows, prompts and samples whatever the number of workers, and when a
process dies at failpoints that no-op trainers do not pass; a damaged record is a failed run with a name. --soak kills at
every failpoint, at several passes. Skipped without a trainer or base."""

import os
import shutil
import unittest

from gang_harness import GangTest
from harness import SHARED, SOAK, SOME_FAILED, failpoints

# Passes of one process; the first that gets there dies. A run of 20 steps makes four checkpoints.
FAILPOINTS = ["trainer.checkpointed", "trainer.checkpointed:3", "trainer.tuned:13", "trainer.sampled",
              "trainer.result_written", "file.synced:4", "agent.progress:9", "coordinator.before_commit:2"]


class RealTrainer(GangTest):
    def test_rows_do_not_depend_on_workers_or_repetition(self):
        expected = self.alone(methods="prompt, none")
        self.write(1, "prompt, none")
        self.out.mkdir()  # so that tokens and features are made again
        self.assert_exit(0, self.sweep(workers=2, timeout=240))
        self.assertEqual(expected, self.outcome(self.out))
        self.assert_no_process_left()

    def test_kills_at_failpoints_change_nothing(self):
        self.expected = self.alone()
        self.write(1)
        chosen = [f"{name}:{passes}" for name in failpoints() for passes in (1, 2, 5)] if SOAK else FAILPOINTS
        self.repeat("no acknowledged result lost or doubled", "kills at failpoints under the real trainer", chosen,
                    RealTrainer.kill_at)

    def kill_at(self, failpoint):
        once = self.folder / "once"
        done = self.sweep(workers=1, timeout=240,
                          environment=self.environment(MARQUEE_FAILPOINT=failpoint, MARQUEE_FAILPOINT_ONCE=once))
        if not SOAK:
            self.assertTrue(once.exists(), f"no process passed {failpoint}")
        self.assert_no_process_left()
        if done.returncode != 0 or SOAK:
            self.assert_exit(0, self.sweep(workers=1, timeout=240))
            self.assert_no_process_left()
        self.assertEqual(self.expected, self.outcome(self.out))
        self.assertEqual(["done"], [status for _, status in self.sound_rows(self.out)[2]])
        if failpoint == "trainer.checkpointed:3":
            self.assertEqual(["checkpoint-15.h5"], list(self.resumed_from().values()))

    def test_a_damaged_record_is_a_failure_that_names_the_file(self):
        source = SHARED / "data" / "tfds_synth"
        if not (source / "eurosat").is_dir():
            self.skipTest(f"no small EuroSAT in {source}")
        data = self.folder / "tfds"
        shutil.copytree(source / "eurosat", data / "eurosat")
        for shard in data.rglob("*.tfrecord*"):
            os.chmod(shard, 0o644)
            content = bytearray(shard.read_bytes())
            content[len(content) // 2] ^= 0x10
            shard.write_bytes(content)
        self.write(1)
        self.sweep_file.write_text(self.sweep_file.read_text().replace("drawn/dsprites_location", "eurosat")
                                   .replace("shots: [2]", "shots: [1]"))
        done = self.sweep("--data", data, workers=1, timeout=240)
        self.assert_exit(SOME_FAILED, done)
        self.assertIn("tfrecord", done.stderr)
        kinds = {record["cause"]["kind"] for record in self.attempts().values()}
        self.assertEqual({"environment"}, kinds)


if __name__ == "__main__":
    unittest.main()
