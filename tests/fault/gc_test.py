"""What stays of finished runs: the block `keep`, its collection while a sweep runs, and `marquee gc`."""

import json
import subprocess

from harness import BUSY, ENVIRONMENT, MARQUEE, USAGE, FaultTest, main

SWEEP = """\
name: kept
oracles: false
defaults: {samples: 8}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt]
  seed: [0, 1, 2, 3]
simulate:
  seconds: 0.02
  checkpoints: 3
"""


class Collection(FaultTest):
    def gc(self, *options):
        return subprocess.run([str(MARQUEE), "gc", "--out", str(self.out), *map(str, options)],
                              env=self.environment(), capture_output=True, text=True, timeout=60)

    def checkpoints(self):
        """Names of the checkpoints of each run."""
        return sorted(sorted(file.name for file in run.glob("attempt-*/checkpoint-*"))
                      for run in (self.out / "runs").iterdir())

    def sweep_with(self, keep):
        self.sweep_file.write_text(SWEEP + keep)
        self.assert_exit(0, self.sweep("--simulate"))

    def test_a_sweep_keeps_the_newest_checkpoint_of_what_is_done(self):
        self.sweep_with("")
        self.assertEqual([["checkpoint-3.h5"]] * 4, self.checkpoints())
        self.assertEqual(4, len(self.attempts()), "the attempts that count")

    def test_a_sweep_keeps_what_its_policy_says(self):
        self.sweep_with("keep: {checkpoints: 2}\n")
        self.assertEqual([["checkpoint-2.h5", "checkpoint-3.h5"]] * 4, self.checkpoints())

    def test_gc_does_later_what_another_policy_asks(self):
        self.sweep_with("keep: {checkpoints: all}\n")
        every = [["checkpoint-1.h5", "checkpoint-2.h5", "checkpoint-3.h5"]] * 4
        self.assertEqual(every, self.checkpoints())
        planned = self.gc("--dry-run", "--json")
        self.assert_exit(0, planned)
        self.assertEqual(8, len(json.loads(planned.stdout)["files"]))
        self.assertEqual(every, self.checkpoints(), "--dry-run removed something")
        self.assert_exit(0, self.gc("--sweep", self.sweep_file))
        self.assertEqual(every, self.checkpoints(), "the sweep file says all")
        self.assert_exit(0, self.gc())
        self.assertEqual([["checkpoint-3.h5"]] * 4, self.checkpoints())
        self.assert_exit(0, self.gc("--checkpoints", "none"))
        self.assertEqual([[]] * 4, self.checkpoints())
        rows = self.metric_rows()
        self.assert_exit(0, self.sweep("--simulate"))
        self.assertEqual(rows, self.metric_rows())

    def test_gc_refuses_unknown_words_and_folders(self):
        self.assert_exit(ENVIRONMENT, self.gc())
        self.sweep_with("")
        done = self.gc("--checkpoints", "lest")
        self.assert_exit(USAGE, done)
        self.assertIn("did you mean 'last'", done.stderr)

    def test_gc_stays_out_of_a_running_sweep(self):
        self.sweep_file.write_text(SWEEP.replace("seconds: 0.02", "seconds: 2"))
        sweep = self.start_sweep("--simulate")
        self.wait_for(lambda: (self.out / "results.sqlite").exists(), "the first publication")
        done = self.gc()
        self.assert_exit(BUSY, done)
        self.assertEqual(0, sweep.wait(timeout=60), self.background_log())

    def test_a_collection_that_was_killed_is_taken_up_again(self):
        self.sweep_file.write_text(SWEEP)
        once = self.folder / "once"
        self.sweep("--simulate", environment=self.environment(MARQUEE_FAILPOINT="coordinator.collecting:2",
                                                              MARQUEE_FAILPOINT_ONCE=once))
        self.assertTrue(once.exists())
        self.assert_no_process_left()
        self.assert_exit(0, self.sweep("--simulate"))
        self.assertTrue(all("checkpoint-3.h5" in run for run in self.checkpoints()), self.checkpoints())
        self.assert_exit(0, self.gc())
        self.assertEqual([["checkpoint-3.h5"]] * 4, self.checkpoints())


if __name__ == "__main__":
    main()
