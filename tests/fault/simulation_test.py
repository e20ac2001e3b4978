"""Faults scripted in a sweep's `simulate` block, with no-op trainers: each ends with the cause that it is, is
retried as often as its kind allows, and `marquee explain` tells it."""

import json
import subprocess

from harness import MARQUEE, SOME_FAILED, USAGE, FaultTest, main, tell_soak

SWEEP = """\
name: faulty
oracles: false
defaults: {samples: 8}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [none]
  seed: [0, 1, 2, 3, 4, 5, 6, 7, 8]
simulate:
  deadline_seconds: 0.5
  faults:
    - {fault: crash, match: {seed: 0}}
    - {fault: exit, match: {seed: 1}}
    - {fault: hang, match: {seed: 2}}
    - {fault: garbage, match: {seed: 3}}
    - {fault: usage, match: {seed: 4}}
    - {fault: environment, match: {seed: 5}}
    - {fault: false_done, match: {seed: 6}}
    - {fault: crash, match: {seed: 7}, attempts: [1, 2]}
"""

# seed -> (cause, attempts) of the runs that are set aside
SET_ASIDE = {0: ("crash", 3), 1: ("crash", 3), 2: ("deadline", 3), 3: ("protocol", 3), 4: ("usage", 1),
             5: ("environment", 2), 6: ("protocol", 3)}


class Simulation(FaultTest):
    def explain(self, *words):
        return subprocess.run([str(MARQUEE), "explain", *words, "--out", str(self.out)], capture_output=True,
                              text=True, timeout=30)

    def test_every_fault_has_its_name_and_its_budget(self):
        self.sweep_file.write_text(SWEEP)
        self.assert_exit(SOME_FAILED, self.sweep("--simulate"))
        found = {}
        for seed, status, cause, attempts in self.rows(
                "SELECT r.seed, r.status, max(a.cause_kind), count(*) FROM runs r JOIN attempts a USING (run_id) "
                "GROUP BY r.seed"):
            found[seed] = (status, cause, attempts)
        for seed, (cause, attempts) in SET_ASIDE.items():
            self.assertEqual(("failed", cause, attempts), found[seed], f"seed {seed}")
        self.assertEqual(("done", "crash", 3), found[7], "two crashes, then done")
        self.assertEqual(("done", None, 1), found[8])
        self.assert_no_process_left()

        run = self.rows("SELECT run_id FROM runs WHERE seed = 1")[0][0]
        told = self.explain(run[:12])
        self.assert_exit(0, told)
        self.assertIn("exit code 7", told.stdout)
        self.assertEqual(3, len(json.loads(self.explain(run[:12], "--json").stdout)["attempts"]))
        self.assert_exit(USAGE, self.explain("0"))
        self.assert_exit(USAGE, self.explain("xyzw"))

    def test_max_fails_stops_a_sweep_that_cannot_succeed(self):
        self.sweep_file.write_text(SWEEP[:SWEEP.index("  deadline_seconds")]
                                   + "  seconds: 0.2\n  faults: [{fault: usage}]\n")
        done = self.sweep("--simulate", "--max-fails", "2", workers=1)
        self.assert_exit(SOME_FAILED, done)
        self.assertIn("--max-fails", done.stderr)
        self.assertEqual({"failed": 2, "pending": 7}, self.statuses())
        self.assert_no_process_left()
        self.assert_exit(USAGE, self.sweep("--simulate", "--max-fails", "-1"))

    def test_explain_counts_the_slots_of_a_gang(self):
        """The longest first, by the slots that a run takes: 80 steps on two come before 100 on one, since both slots
        are taken while one of them samples."""
        self.sweep_file.write_text("""\
name: gangs
oracles: false
defaults: {samples: 64, batch: 4, micro_batches: 2}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt]
  seed: [0]
zip: {steps: [400, 100, 80], gang: [2, 1, 2]}
simulate:
  faults: [{fault: usage}]
""")
        self.assert_exit(SOME_FAILED, self.sweep("--simulate", "--max-fails", "1"))
        waiting = dict(self.rows("SELECT json_extract(config, '$.steps'), run_id FROM runs WHERE status = 'pending'"))
        self.assertEqual({100, 80}, set(waiting))
        standing = {steps: json.loads(self.explain(run, "--json").stdout)["standing"]
                    for steps, run in waiting.items()}
        self.assertIn("1 run", standing[100])
        self.assertNotIn("1 run", standing[80])

    def test_poison_runs_are_set_aside_with_their_reason_and_the_others_finish(self):
        self.sweep_file.write_text(SWEEP[:SWEEP.index("  deadline_seconds")]
                                   + "  faults: [{fault: crash, match: {seed: [0, 4]}}]\n")
        done = self.sweep("--simulate")
        self.assert_exit(SOME_FAILED, done)
        self.assertIn("2 of 9 runs failed", done.stderr)
        self.assertEqual({"done": 7, "failed": 2}, self.statuses())
        self.assertEqual([(0, 3), (4, 3)], self.rows(
            "SELECT r.seed, count(*) FROM runs r JOIN attempts a USING (run_id) WHERE a.cause_kind = 'crash' "
            "AND a.signal = 9 GROUP BY r.seed ORDER BY 1"))
        asked = self.marquee("query", "--format", "json", "SELECT * FROM failures ORDER BY seed")
        self.assert_exit(0, asked)
        reasons = json.loads(asked.stdout)
        self.assertEqual([(seed, attempt, "crash", 9) for seed in (0, 4) for attempt in (1, 2, 3)],
                         sorted((row["seed"], row["attempt"], row["cause"], row["signal"]) for row in reasons))
        for run in {row["run_id"] for row in reasons}:
            told = self.explain(run)
            self.assert_exit(0, told)
            self.assertIn("signal 9", told.stdout)
            self.assertIn("set aside", told.stdout)
        tell_soak("a poison run cannot stop a sweep", 2, "runs that always crash", 0)
        self.assert_no_process_left()


if __name__ == "__main__":
    main()
