"""`marquee merge`: two halves of a sweep, computed in folders of their own, become what one folder would have held;
also when the merge is killed on its way. No-op trainers (`--simulate`)."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
import unittest

from harness import BUSY, MARQUEE, SOAK, FaultTest

SWEEP = """\
name: {name}
oracles: false
defaults: {{samples: 8}}
matrix:
  task: [drawn/dsprites_location, drawn/shapes_count]
  shots: [5]
  method: [prompt, none]
  seed: {seeds}
simulate: {{seconds: 0.01, steps: 2, checkpoints: 1}}
"""
KILLS = 100 if SOAK else 6


class Merge(FaultTest):
    def setUp(self):
        super().setUp()
        # The halves share seed 1.
        self.halves = [self.compute("first", "[0, 1]"), self.compute("second's; $(half)", "[1, 2]")]
        self.expected = self.sound_rows(self.compute("whole", "[0, 1, 2]"))

    def compute(self, name, seeds):
        self.sweep_file.write_text(SWEEP.format(name="whole" if name == "whole" else "half", seeds=seeds))
        out = self.folder / name
        self.assert_exit(0, self.sweep("--simulate", out=out))
        return out

    def merge(self, *words, **environment):
        return self.marquee("merge", *self.halves, *words, environment=self.environment(**environment))

    def assert_whole(self):
        self.assertEqual(self.expected, self.sound_rows(self.out))
        self.assert_exit(0, self.marquee("doctor", "--rebuild"))
        self.assertEqual(self.expected, self.sound_rows(self.out))

    def test_two_halves(self):
        before = [{path: path.read_bytes() for path in half.rglob("*") if path.is_file()} for half in self.halves]
        done = self.merge("--json")
        self.assert_exit(0, done)
        first, second = json.loads(done.stdout)
        self.assertEqual((8, 8, 8, 0), tuple(first[key] for key in ("runs", "new_runs", "attempts", "agreeing")))
        self.assertEqual((8, 4, 4, 4), tuple(second[key] for key in ("runs", "new_runs", "attempts", "agreeing")))
        self.assertEqual(1, len(second["renamed_sweeps"]))
        self.assert_whole()
        self.assertEqual([(8,), (8,)], self.rows("SELECT count(*) FROM sweep_runs GROUP BY sweep"))
        for half, files in zip(self.halves, before):
            self.assertEqual(files, {path: path.read_bytes() for path in half.rglob("*") if path.is_file()})
        again = self.merge("--json")
        self.assert_exit(0, again)
        self.assertEqual([0, 0], [report["attempts"] for report in json.loads(again.stdout)])
        self.assert_whole()
        # What was merged is known to the next sweep.
        self.sweep_file.write_text(SWEEP.format(name="whole", seeds="[0, 1, 2]"))
        more = self.sweep("--simulate")
        self.assert_exit(0, more)
        self.assertIn("12 of them done before", more.stderr)

    def finish(self):
        self.assert_exit(0, self.merge())
        self.assert_whole()

    def kill_at(self, failpoint):
        once = self.folder / "once"
        died = self.merge(MARQUEE_FAILPOINT=failpoint, MARQUEE_FAILPOINT_ONCE=once)
        self.assertTrue(once.exists(), "the merge did not pass it")
        self.assertEqual(-signal.SIGKILL, died.returncode)
        self.finish()

    def test_every_failpoint_of_a_file(self):
        self.repeat("no acknowledged result lost or doubled", "kills of a merge at failpoints",
                    [f"file.{what}:{n}" for what in ("written", "synced", "renamed") for n in (1, 2, 7)], Merge.kill_at)

    def kill_at_random(self, seed):
        chance = random.Random(seed)
        process = subprocess.Popen([str(MARQUEE), "merge", *map(str, self.halves), "--out", str(self.out), "--quiet"],
                                   env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.wait()
        self.finish()

    def test_random_moments(self):
        seed = int(os.environ.get("MARQUEE_SEED", random.randrange(1 << 30)))
        self.repeat("no acknowledged result lost or doubled", "kills of a merge at random moments",
                    range(seed, seed + KILLS), Merge.kill_at_random)

    def test_what_cannot_be_merged(self):
        self.assert_exit(2, self.marquee("merge", self.halves[0], out=self.halves[0]))
        self.assert_exit(3, self.marquee("merge", self.folder / "nowhere"))
        (self.folder / "empty").mkdir()
        empty = self.marquee("merge", self.folder / "empty")
        self.assert_exit(3, empty)
        self.assertIn("holds no results", empty.stderr)
        self.sweep_file.write_text(SWEEP.format(name="slow", seeds="[7]").replace("seconds: 0.01", "seconds: 5"))
        process = self.start_sweep("--simulate")
        self.wait_for(lambda: self.attempts(), "a run to begin")
        self.assert_exit(BUSY, self.merge())
        process.terminate()
        process.wait(timeout=60)

    def test_a_file_of_a_stranger(self):
        """A database that is none, a hostile sweep, a damaged result: named, left out, nothing lost."""
        bad = self.folder / "bad\x1b[31m\n<b>"
        shutil.copytree(self.halves[0], bad)
        record = sorted(bad.glob("runs/*/attempt-1/attempt.json"))[0]
        record.write_bytes(record.read_bytes()[:-9])
        self.halves = [bad]
        done = self.merge()
        self.assert_exit(1, done)
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        self.assertIn("left out", done.stdout)
        self.assertEqual({"done": 7, "pending": 1}, self.statuses())
        (bad / "results.sqlite").write_bytes(b"SQLite format 3\0" + b"\0" * 5000)
        refused = self.merge()
        self.assert_exit(3, refused)
        self.assertNotIn("\x1b", refused.stdout + refused.stderr)
        self.assertEqual({"done": 7, "pending": 1}, self.statuses())


if __name__ == "__main__":
    unittest.main()
