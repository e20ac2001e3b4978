"""`marquee cancel` and `marquee rerun`, while a sweep runs and while none does. No-op trainers."""

import json
import subprocess

from harness import MARQUEE, SOME_FAILED, USAGE, FaultTest, main

SWEEP = """\
name: simulated
oracles: false
defaults: {samples: 8}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt]
  seed: [0, 1, 2, 3]
simulate: {seconds: SECONDS, steps: 20}
"""


class Requests(FaultTest):
    def setUp(self):
        super().setUp()
        self.write_sweep(0)

    def write_sweep(self, seconds):
        self.sweep_file.write_text(SWEEP.replace("SECONDS", str(seconds)))

    def by_seed(self):
        return dict(self.rows("SELECT seed, status FROM results"))

    def attempts_of(self, seed):
        return self.rows("SELECT attempt, attempts.status, rerun_of FROM attempts JOIN runs USING (run_id) WHERE seed = "
                         f"{seed} ORDER BY attempt")

    def test_cancel_while_a_sweep_runs(self):
        self.write_sweep(3)
        process = self.start_sweep("--simulate", workers=1)
        self.wait_for(lambda: (self.out / "results.sqlite").exists() and "running" in self.statuses(),
                      "a running run")
        running = [seed for seed, status in self.by_seed().items() if status == "running"][0]
        waiting = 3 if running != 3 else 2
        done = self.marquee("cancel", "--where", f"seed IN ({running}, {waiting})", "--json")
        self.assert_exit(0, done)
        told = json.loads(done.stdout)
        self.assertTrue(told["taken_in"], told)
        self.assertIn("held by process", told["holder"])
        self.assertEqual(SOME_FAILED, process.wait(timeout=60), self.background_log())
        states = self.by_seed()
        self.assertEqual({"cancelled": 2, "done": 2}, self.statuses())
        self.assertEqual(("cancelled", "cancelled"), (states[running], states[waiting]))
        self.assertEqual([(1, "interrupted", None)], self.attempts_of(running))
        self.assertEqual([], self.attempts_of(waiting))
        self.assert_no_process_left()

        self.write_sweep(0)
        again = self.sweep("--simulate")
        self.assert_exit(SOME_FAILED, again)
        self.assertIn("2 cancelled", again.stderr)
        self.assertIn("2 of 4 runs are cancelled; marquee rerun", again.stderr)
        self.assertEqual({"cancelled": 2, "done": 2}, self.statuses())
        self.assert_exit(0, self.marquee("rerun", "--where", "status = 'cancelled'"))
        self.assertEqual({"pending": 2, "done": 2}, self.statuses())
        self.assert_exit(0, self.sweep("--simulate"))
        self.assertEqual({"done": 4}, self.statuses())

    def test_cancel_all_ends_a_sweep(self):
        self.write_sweep(30)
        process = self.start_sweep("--simulate")
        self.wait_for(lambda: (self.out / "results.sqlite").exists() and self.statuses().get("running") == 2,
                      "running runs")
        self.assert_exit(0, self.marquee("cancel", "--all"))
        self.assertEqual(SOME_FAILED, process.wait(timeout=20), self.background_log())
        self.assertEqual({"cancelled": 4}, self.statuses())
        self.assert_no_process_left()

    def test_rerun_while_a_sweep_runs(self):
        self.assert_exit(0, self.sweep("--simulate", sweep_file=self.small("[0]")))
        before = self.metric_rows()
        self.write_sweep(1.5)
        process = self.start_sweep("--simulate", workers=1)
        self.wait_for(lambda: "running" in self.statuses(), "a running run")
        run = self.rows("SELECT run_id FROM runs WHERE seed = 0")[0][0]
        done = self.marquee("rerun", run[:10])
        self.assert_exit(0, done)
        self.assertIn("taken the request in", done.stdout)
        self.assertEqual(0, process.wait(timeout=60), self.background_log())
        self.assertEqual([(1, "done", None), (2, "done", 1)], self.attempts_of(0))
        self.assertEqual({"done": 4}, self.statuses())
        self.assertEqual([(2,)], self.rows("SELECT attempt FROM results WHERE seed = 0"))
        self.assertEqual(before, [row for row in self.metric_rows() if row[0] == run])
        self.assertEqual([], self.rows("SELECT text FROM events WHERE kind = 'rerun_mismatch'"))
        self.assert_no_process_left()

    def small(self, seeds):
        path = self.folder / "other.yaml"
        path.write_text(SWEEP.replace("SECONDS", "0").replace("[0, 1, 2, 3]", seeds))
        return path

    def test_rerun_while_none_runs(self):
        self.assert_exit(0, self.sweep("--simulate"))
        listed = self.marquee("rerun", "--where", "seed < 2", "--dry-run", "--json")
        self.assert_exit(0, listed)
        self.assertEqual(2, len(json.loads(listed.stdout)["runs"]))
        self.assertEqual({"done": 4}, self.statuses())
        done = self.marquee("rerun", "--where", "seed < 2")
        self.assert_exit(0, done)
        self.assertIn(f"marquee sweep small.yaml --out {self.out}", done.stdout)
        self.assertEqual({"done": 2, "pending": 2}, self.statuses())
        self.assertIn("left as they are", self.marquee("rerun", "--where", "seed < 2").stdout)
        self.assert_exit(0, self.sweep("--simulate"))
        self.assertEqual({"done": 4}, self.statuses())
        for seed, expected in ((0, [(1, "done", None), (2, "done", 1)]), (3, [(1, "done", None)])):
            self.assertEqual(expected, self.attempts_of(seed))

    def test_rerun_that_computes_at_once(self):
        self.assert_exit(0, self.sweep("--simulate"))
        done = self.marquee("rerun", "--where", "seed = 3", "--workers", "1", "--slots-per-host", "2", "--simulate")
        self.assert_exit(0, done)
        self.assertEqual([(1, "done", None), (2, "done", 1)], self.attempts_of(3))
        self.assertEqual({"done": 4}, self.statuses())
        self.assertEqual([("simulated",)], self.rows("SELECT DISTINCT sweep FROM results"))
        self.assertEqual([], list(self.out.glob(".rerun*")))
        self.assert_no_process_left()

    def test_reruns_of_failed_runs(self):
        failing = SWEEP.replace("SECONDS", "0, faults: [{fault: usage, match: {seed: 1}, attempts: [1]}]")
        self.sweep_file.write_text(failing)
        self.assertEqual(1, self.sweep("--simulate").returncode)
        self.assert_exit(0, self.marquee("rerun", "--where", "status = 'failed'"))
        self.assertEqual({"done": 3, "pending": 1}, self.statuses())
        self.assert_exit(0, self.sweep("--simulate"))
        self.assertEqual([(1, "failed", None), (2, "done", 1)], self.attempts_of(1))

    def test_wrong_words_change_nothing(self):
        self.assert_exit(0, self.sweep("--simulate"))
        for words in (("--where", "1) OR (1=1"), ("--where", "1; DELETE FROM runs"), ("--where", "nonsense = 1"),
                      ("--where", "1 --"), ("--where", ""), (), ("0" * 64,), ("zzzz",), ("--where", "seed = 99"),
                      ("--where", "1", "abcd")):
            for command in ("cancel", "rerun"):
                done = self.marquee(command, *words)
                self.assertEqual(USAGE, done.returncode, f"{command} {words}: {done.stdout}{done.stderr}")
        self.assertEqual({"done": 4}, self.statuses())
        missing = subprocess.run([MARQUEE, "cancel", "--out", self.folder / "nowhere", "--all"], capture_output=True,
                                 text=True, timeout=10)
        self.assertEqual(3, missing.returncode)


if __name__ == "__main__":
    main()
