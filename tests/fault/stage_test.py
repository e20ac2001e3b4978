"""`sweep --stage`: data and weights are read from a copy on the host's own disk, made once; rows, prompts and samples
are those of a sweep without it, also when a trainer is killed in the midst of copying, and where nothing can be
copied."""

import json
import os
import shutil
import unittest

from harness import SHARED, USAGE, FaultTest, require_real_trainer

SWEEP = """\
name: staged
base: mini
oracles: false
defaults:
  steps: 2
  samples: 16
  decode_steps: 2
  decode_batch: 16
  batch: 4
  micro_batches: 2
  learning_rate: 0.01
matrix:
  task: [eurosat]
  shots: [1]
  method: [prompt, none]
  seed: [0]
"""


class Stage(FaultTest):
    def setUp(self):
        super().setUp()
        require_real_trainer(self)
        source = SHARED / "data" / "tfds_synth" / "eurosat"
        if not source.is_dir():
            self.skipTest(f"no small EuroSAT at {source}")
        self.sweep_file.write_text(SWEEP)
        self.data = self.folder / "tfds"
        shutil.copytree(source, self.data / "eurosat", copy_function=shutil.copyfile)
        self.disk = self.folder / "disk"
        self.own = self.disk / f"marquee-{os.geteuid()}"

    def environment(self, **extra):
        return super().environment(MARQUEE_TRAINER=self.trainer, **extra)

    def run_sweep(self, name, *options, workers=1, **variables):
        out = self.folder / name
        done = self.sweep("--data", self.data, *options, out=out, workers=workers, timeout=240,
                          environment=self.environment(**variables))
        self.assert_exit(0, done)
        self.assert_no_process_left()
        return self.outcome(out)

    def outcome(self, out):
        """What must be equal: metric rows, and hashes of prompts and sampled tokens by run."""
        done = {run: record["result"] for (run, _), record in self.attempts(out).items() if record["status"] == "done"}
        self.assertEqual(2, len(done))
        return self.metric_rows(out), {run: (result["prompt_sha256"], result["tokens_sha256"])
                                       for run, result in done.items()}

    def copies(self):
        """(name, inode, time of last change) of every file that is staged."""
        return {str(file.relative_to(self.own)): (file.stat().st_ino, file.stat().st_ctime_ns)
                for file in self.own.rglob("*") if file.is_file() and file.suffix != ".lock"}

    def test_rows_are_the_same_and_copies_are_made_once(self):
        """One test, so that the undisturbed sweep is computed once."""
        expected = self.run_sweep("undisturbed")
        self.assertEqual(expected, self.run_sweep("staged", "--stage", f"{self.disk}:1G", workers=2))
        copies = self.copies()
        self.assertEqual(2, sum(name.endswith("/entry.json") for name in copies), "the data set, and the base")
        self.assertEqual(0o700, self.own.stat().st_mode & 0o777)
        for path in (self.folder / "staged").glob("runs/*/attempt-*/*"):
            if path.suffix in (".json", ".yaml", ".h5"):
                self.assertNotIn(str(self.disk).encode(), path.read_bytes(), path)

        with self.subTest("from the copies alone, and by the environment's default"):
            self.spoil_source()
            self.assertEqual(expected, self.run_sweep("again", MARQUEE_STAGE=self.disk))
            self.assertEqual(copies, self.copies(), "copied again")
        with self.subTest("a run of its own"):
            run = next((self.folder / "staged").glob("runs/*/attempt-*/run.yaml"))
            done = self.marquee("run", "--config", run, "--data", self.data, "--assets", self.assets, "--stage",
                                self.disk, "--json", out=self.folder / "alone", timeout=120)
            self.assert_exit(0, done)
            told = json.loads(done.stdout)
            result = told["result"]
            self.assertEqual(expected[1][told["run_id"]], (result["prompt_sha256"], result["tokens_sha256"]))
            self.assertEqual(copies, self.copies(), "copied again")
        self.restore_source()

        with self.subTest("a trainer is killed in the midst of copying"):
            shutil.rmtree(self.disk)
            once = self.folder / "once"
            self.assertEqual(expected, self.run_sweep("killed", "--stage", self.disk, MARQUEE_FAILPOINT="stage.copying:2",
                                                      MARQUEE_FAILPOINT_ONCE=once))
            self.assertTrue(once.exists(), "nobody copied")
            self.assertEqual([], [name for name in os.listdir(self.own) if name.startswith(".part-")])
            causes = [record["cause"]["kind"] for record in self.attempts(self.folder / "killed").values()
                      if record["status"] == "failed"]
            self.assertEqual(["crash"], causes)
        with self.subTest("nothing can be copied"):
            shutil.rmtree(self.disk)
            self.disk.write_text("in the way")
            self.assertEqual(expected, self.run_sweep("refused", "--stage", self.disk))
            for log in (self.folder / "refused").glob("runs/*/attempt-*/log"):
                self.assertIn("is read where it lies", log.read_text())

    def shards(self):
        return sorted(self.data.rglob("*.tfrecord*"))

    def spoil_source(self):
        """Other bytes, the same sizes and times: whoever reads the source fails."""
        for shard in self.shards():
            shutil.copy2(shard, self.folder / shard.name)
            status = shard.stat()
            shard.write_bytes(bytes(status.st_size))
            os.utime(shard, ns=(status.st_atime_ns, status.st_mtime_ns))

    def restore_source(self):
        for shard in self.shards():
            shutil.copy2(self.folder / shard.name, shard)

    def test_a_place_that_is_none_is_refused_before_anything_starts(self):
        done = self.sweep("--data", self.data, "--stage", f"{self.disk}:much")
        self.assert_exit(USAGE, done)
        self.assertIn("expected DIR or DIR:SIZE", done.stderr)
        self.assertFalse(self.out.exists())
        self.assertEqual(1, done.stderr.count("error"), done.stderr)


if __name__ == "__main__":
    unittest.main()
