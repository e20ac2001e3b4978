"""What the tests with real trainers share: small sweeps that one or several of them tune together, what came of them,
and one undisturbed reference of each, computed by one trainer. Standard library only."""

import pathlib
import shutil
import tempfile
import time

from harness import FaultTest, require_real_trainer

GANG_SWEEP = """\
name: gang
base: mini
oracles: false
defaults:
  steps: {steps}
  samples: 8
  decode_steps: 2
  decode_batch: 8
  batch: 4
  micro_batches: 4
  learning_rate: 0.01
  checkpoint_interval: {interval}
  gang: {gang}
matrix:
  task: [drawn/dsprites_location]
  shots: [2]
  method: [{methods}]
  seed: {seeds}
"""
KNOWN_WITHIN = 5.0  # seconds until every member knows that one has gone
DEADLINE = 8  # seconds that a trainer may be silent


class GangTest(FaultTest):
    @classmethod
    def setUpClass(cls):
        cls.kept = pathlib.Path(tempfile.mkdtemp(prefix="marquee-fault-reference-"))
        cls.addClassCleanup(shutil.rmtree, cls.kept, ignore_errors=True)
        cls.references = {}

    def setUp(self):
        super().setUp()
        require_real_trainer(self)

    def environment(self, **extra):
        return FaultTest.environment(self, MARQUEE_TRAINER=self.trainer, MARQUEE_DEADLINE_S=DEADLINE,
                                     **extra)

    def command(self, *options, out=None, slots=4, **where):
        self.give_cache(out or self.out)
        return FaultTest.command(self, *options, out=out, slots=slots, **where)

    def give_cache(self, out):
        """Tokens and features of the data, eight seconds' work, are what they are; that they are made again is tested
        elsewhere."""
        kept = self.kept / "cache"
        if kept.exists() and not out.exists():
            shutil.copytree(kept, out / "cache")

    def write(self, gang, methods="prompt", steps=20, interval=5, seeds="[0]"):
        self.sweep_file.write_text(GANG_SWEEP.format(gang=gang, methods=methods, steps=steps, interval=interval,
                                                     seeds=seeds))

    def outcome(self, out):
        """Hashes of prompts and samples, and the numbers, of each finished run."""
        done = {run: record for (run, _), record in self.attempts(out).items() if record["status"] == "done"}
        self.assertTrue(done)
        hashes = {run: (record["result"]["prompt_sha256"], record["result"]["tokens_sha256"])
                  for run, record in done.items()}
        self.assertTrue(all(tokens for _, tokens in hashes.values()), hashes)
        return hashes, self.metric_rows(out)

    def alone(self, **what):
        """The outcome of an undisturbed sweep on one trainer, computed once for all tests of a class. Neither the
        checkpoints nor the gang are part of a run's configuration."""
        key = tuple(sorted(what.items()))
        if key not in self.references:
            self.write(1, **what)
            out = self.kept / f"alone-{len(self.references)}"
            self.assert_exit(0, self.sweep(out=out, workers=1, timeout=240))
            self.references[key] = self.outcome(out)
            if not (self.kept / "cache").exists():
                shutil.copytree(out / "cache", self.kept / "cache")
        return self.references[key]

    def in_mid_run(self, name, gang=2):
        """A gang that has written a checkpoint and has many steps before it."""
        self.write(gang, steps=60)
        self.out = self.folder / name
        process = self.start_sweep(workers=gang)
        self.wait_for(lambda: list(self.out.glob("runs/*/attempt-1/checkpoint-*.h5")), "a checkpoint", 120)
        return process

    def ended_within(self, since, seconds, kind):
        """The first attempt is failed, with this cause, so soon."""
        def record():
            first = [found for (_, attempt), found in self.attempts().items() if attempt == 1]
            return first[0] if first and first[0]["status"] != "running" else None
        found = self.wait_for(record, "the end of the first attempt", seconds + 20)
        self.assertLess(time.monotonic() - since, seconds)
        self.assertEqual((found["status"], found["cause"]["kind"]), ("failed", kind), found)
        return found

    def resumed_from(self, out=None):
        """{run id: name of the checkpoint from which the finished attempt went on, or None}."""
        return {run: record["result"]["provenance"]["resumed_from_step"]
                for (run, _), record in self.attempts(out).items() if record["status"] == "done"}
