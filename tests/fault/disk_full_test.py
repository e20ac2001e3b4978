"""A full disk under the ledger stops the sweep with exit code 3; what was sealed is taken in at the next start.
On a tmpfs of a few megabytes: needs root, else skipped."""

import os
import subprocess
import unittest

from harness import ENVIRONMENT, FaultTest

RUNS = 40

SWEEP = f"""\
name: simulated
oracles: false
defaults: {{samples: 8}}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt]
  seed: {list(range(RUNS))}
simulate: {{seconds: 0.05, steps: 1}}
"""


class DiskFull(FaultTest):
    def setUp(self):
        super().setUp()
        self.sweep_file.write_text(SWEEP)
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "marquee-test", str(self.disk)],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"no tmpfs can be mounted here (root?): {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.disk)])
        self.out = self.disk / "results"
        # Results are sealed on a disk that has room; the ledger's disk fills up.
        self.out.mkdir()
        (self.folder / "runs").mkdir()
        (self.out / "runs").symlink_to(self.folder / "runs")

    def fill(self):
        with open(self.disk / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                pass

    def test_the_sweep_stops_with_3_and_goes_on_when_there_is_room(self):
        process = self.start_sweep("--simulate")
        self.wait_for(lambda: sum(r["status"] == "done" for r in self.attempts().values()) >= 4, "some results")
        self.fill()
        self.assertEqual(ENVIRONMENT, process.wait(timeout=60), self.background_log())
        self.assertRegex(self.background_log(), "marquee: error: .*(full|No space)")
        self.assert_no_process_left()
        sealed = {run for (run, _), record in self.attempts().items() if record["status"] == "done"}
        self.assertLess(len(sealed), RUNS, "the sweep was over before the disk was full")
        # No room: said again, nothing lost.
        self.assert_exit(ENVIRONMENT, self.sweep("--simulate"))
        os.unlink(self.disk / "filler")
        done = self.sweep("--simulate")
        self.assert_exit(0, done)
        self.assertIn(f"{len(sealed)} of them done before", done.stderr)
        self.assertEqual({"done": RUNS}, self.statuses())
        self.assertEqual([("ok",)], self.rows("PRAGMA integrity_check"))
        self.assertEqual([], self.rows("SELECT run_id FROM attempts WHERE status = 'done' GROUP BY run_id "
                                       "HAVING count(*) > 1"))


if __name__ == "__main__":
    unittest.main()
