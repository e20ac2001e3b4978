"""The real trainer on a small sweep: the same rows, prompts and samples whatever the number of workers and
however often it is killed, also at failpoints that no-op trainers do not pass; a damaged record is a failed run with
a name. --soak kills at every failpoint, at several passes. Skipped without a trainer or base."""

import os
import shutil
import signal
import unittest

from harness import SHARED, SOME_FAILED, FaultTest, failpoints, require_real_trainer

SMALL_SWEEP = """\
name: small_real
base: mini
oracles: false
defaults:
  steps: 20
  samples: 32
  decode_steps: 4
  decode_batch: 16
  batch: 8
  micro_batches: 2
  learning_rate: 0.01
  checkpoint_interval: 5
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt, none]
  seed: [0]
"""

# Passes of one process; the first that gets there dies. A run of ONE_SWEEP makes four checkpoints.
ONE_SWEEP = SMALL_SWEEP.replace("[prompt, none]", "[prompt]")
FAILPOINTS = ["trainer.checkpointed", "trainer.checkpointed:3", "trainer.tuned:13", "trainer.sampled",
              "trainer.result_written", "file.synced:4", "agent.progress:9", "coordinator.before_commit:2"]


class RealTrainer(FaultTest):
    def setUp(self):
        super().setUp()
        require_real_trainer(self)
        self.sweep_file.write_text(SMALL_SWEEP)

    def environment(self, **extra):
        return super().environment(MARQUEE_TRAINER=self.trainer, **extra)

    def outcome(self, out, runs=2):
        """What must be equal: metric rows, hashes of prompts and of sampled tokens."""
        done = {run_id: record for (run_id, _), record in self.attempts(out).items() if record["status"] == "done"}
        self.assertEqual(runs, len(done))
        hashes = {run_id: (record["result"]["prompt_sha256"], record["result"]["tokens_sha256"])
                  for run_id, record in done.items()}
        self.assertTrue(all(tokens for _, tokens in hashes.values()), hashes)
        rows = self.metric_rows(out)
        self.assertTrue(rows)
        return rows, hashes

    def undisturbed(self, workers=1, name="undisturbed", runs=2):
        out = self.folder / name
        self.assert_exit(0, self.sweep(out=out, workers=workers, timeout=240))
        return self.outcome(out, runs)

    def test_rows_do_not_depend_on_workers_repetition_or_kills(self):
        """One test, so that the undisturbed sweep is computed once."""
        expected = self.undisturbed()
        with self.subTest("again, with two workers"):
            self.assertEqual(expected, self.undisturbed(2, "two_workers"))
        for victim in ("trainer", "mpirun", "coordinator"):
            with self.subTest(f"SIGKILL of {victim}"):
                self.kill_in_mid_sweep(victim)
                self.assert_exit(0, self.sweep(workers=1, timeout=240))
                self.assertEqual(expected, self.outcome(self.out))
                self.assert_no_process_left()

    def kill_in_mid_sweep(self, victim):
        self.out = self.folder / f"killed_{victim}"
        process = self.start_sweep(workers=1)
        self.wait_for(lambda: list(self.out.glob("runs/*/attempt-*/checkpoint-*.h5")), "a checkpoint", 120)
        pid = {"trainer": lambda: self.trainers()[0], "mpirun": lambda: self.mpirun()[0],
               "coordinator": self.coordinator}[victim]()
        os.kill(pid, signal.SIGKILL)
        process.wait(timeout=240)
        if victim == "trainer":
            self.assertEqual(0, process.returncode, self.background_log())
        else:
            self.assertNotEqual(0, process.returncode)
        self.assert_no_process_left()

    def test_kills_at_failpoints_change_nothing(self):
        self.sweep_file.write_text(ONE_SWEEP)
        expected = self.undisturbed(runs=1)
        chosen = FAILPOINTS
        if os.environ.get("MARQUEE_SOAK"):
            chosen = [f"{name}:{passes}" for name in failpoints() for passes in (1, 2, 5)]
        for failpoint in chosen:
            with self.subTest(failpoint):
                out, once = self.folder / failpoint.replace(":", "-"), self.folder / f"{failpoint}.once"
                # Tokens and features of the data are what they are; that they are made again is tested elsewhere.
                shutil.copytree(self.folder / "undisturbed" / "cache", out / "cache")
                self.sweep(out=out, workers=1, timeout=240,
                           environment=self.environment(MARQUEE_FAILPOINT=failpoint, MARQUEE_FAILPOINT_ONCE=once))
                if not os.environ.get("MARQUEE_SOAK"):
                    self.assertTrue(once.exists(), f"no process passed {failpoint}")
                self.assert_no_process_left()
                self.assert_exit(0, self.sweep(out=out, workers=1, timeout=240))
                self.assertEqual(expected, self.outcome(out, runs=1))
                self.assertEqual(1, self.sound_rows(out)[2].count((next(iter(expected[1])), "done")))
                if failpoint == "trainer.checkpointed:3":
                    self.assert_resumed_from("checkpoint-15.h5", out)
                self.assert_no_process_left()

    def assert_resumed_from(self, name, out):
        resumed = [record["result"]["provenance"]["resumed_from_step"] for record in self.attempts(out).values()
                   if record["status"] == "done"]
        self.assertEqual([name], resumed)

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
        self.sweep_file.write_text(SMALL_SWEEP.replace("drawn/dsprites_location", "eurosat")
                                   .replace("[prompt, none]", "[prompt]").replace("shots: [5]", "shots: [1]"))
        done = self.sweep("--data", data, workers=1, timeout=240)
        self.assert_exit(SOME_FAILED, done)
        self.assertIn("tfrecord", done.stderr)
        kinds = {record["cause"]["kind"] for record in self.attempts().values()}
        self.assertEqual({"environment"}, kinds)


if __name__ == "__main__":
    unittest.main()
