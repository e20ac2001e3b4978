"""What the tests of gangs share: sweeps of one run that several real trainers tune together, and what came of them.
Standard library only."""

import time

from harness import FaultTest, require_real_trainer

GANG_SWEEP = """\
name: gang
base: mini
oracles: false
defaults:
  steps: {steps}
  samples: 16
  decode_steps: 2
  decode_batch: 16
  batch: 8
  micro_batches: 4
  learning_rate: 0.01
  checkpoint_interval: 5
  gang: {gang}
matrix:
  task: [drawn/dsprites_location]
  shots: [2]
  method: [{methods}]
  seed: [0]
"""
KNOWN_WITHIN = 5.0  # seconds until every member knows that one has gone
DEADLINE = 8  # seconds that a trainer may be silent


class GangTest(FaultTest):
    def setUp(self):
        super().setUp()
        require_real_trainer(self)

    def environment(self, **extra):
        return FaultTest.environment(self, MARQUEE_TRAINER=self.trainer, MARQUEE_DEADLINE_S=DEADLINE,
                                     **extra)

    def command(self, *options, **where):
        words = FaultTest.command(self, *options, **where)
        words[words.index("--slots-per-host") + 1] = "4"
        return words

    def write(self, gang, methods="prompt", steps=20):
        self.sweep_file.write_text(GANG_SWEEP.format(gang=gang, methods=methods, steps=steps))

    def outcome(self, out):
        """Hashes of prompts and samples, and the numbers, of each finished run."""
        done = {run: record for (run, _), record in self.attempts(out).items() if record["status"] == "done"}
        self.assertTrue(done)
        return ({run: (record["result"]["prompt_sha256"], record["result"]["tokens_sha256"])
                 for run, record in done.items()}, self.metric_rows(out))

    def alone(self, methods="prompt", steps=20):
        self.write(1, methods, steps)
        out = self.folder / "alone"
        self.assert_exit(0, self.sweep(out=out, workers=1, timeout=240))
        return self.outcome(out)

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
