"""What starts when and where, with no-op trainers whose slots, durations and faults are scripted: priorities, kinds and
memory of slots, hosts that fail, memory that runs out, and allocations that end."""

import json
import sys
import time

from harness import ENVIRONMENT, FAKE_TRAINER, OUT_OF_TIME, SOME_FAILED, USAGE, FaultTest, main

SWEEP = """\
name: scheduled
oracles: false
defaults: {{samples: 8{defaults}}}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [none]
  seed: [{seeds}]
{more}
simulate:
  {simulate}
"""

TWO_HOSTS = "slots: [{host: small, kind: Card S, memory: 40}, {host: large, kind: Card L, memory: 80}]\n"


PROBED_TRAINER = """\
#!{python}
import json, os, pathlib, sys
if sys.argv[1] != "probe":
    os.execv("{fake}", ["{fake}", *sys.argv[1:]])
run = pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text()
with open("{calls}", "a") as file:
    print("prompt" if 'method: "prompt"' in run else "none", file=file)
print(json.dumps({{"timing": {{"load": 100, "cache": 0, "tune": 1, "sample": 2, "score": 0, "steps": 3, "images": 8}},
                  "fingerprint": {{"device": "cpu"}}}}))
"""


class Scheduling(FaultTest):
    def write(self, seeds, simulate, defaults="", more=""):
        self.sweep_file.write_text(SWEEP.format(seeds=", ".join(map(str, range(seeds))), simulate=simulate,
                                                defaults=defaults, more=more))

    def attempts(self):
        """(seed, host, status, cause) in the order in which they started."""
        return self.rows("SELECT r.seed, a.host, a.status, a.cause_kind FROM attempts a JOIN runs r USING (run_id) "
                         "ORDER BY a.started, a.rowid")

    def events(self, kind):
        return [text for text, in self.rows(f"SELECT text FROM events WHERE kind = '{kind}'")]

    def test_priorities_come_before_length(self):
        self.write(2, "files: false", more="include:\n"
                   "  - {task: drawn/digits, shots: 5, method: none, seed: 7, samples: 8, priority: 3}\n"
                   "  - {task: drawn/digits, shots: 5, method: none, seed: 8, samples: 800}\n"
                   "  - {task: drawn/digits, shots: 5, method: none, seed: 9, samples: 80000, priority: -1}")
        self.assert_exit(0, self.sweep("--simulate", workers=1))
        self.assertEqual([7, 8, 0, 1, 9], [seed for seed, *_ in self.attempts()])

    def test_runs_go_to_slots_of_their_kind_and_size(self):
        self.write(3, "seconds: 0.1\n  " + TWO_HOSTS, defaults=", slot_memory: 60", more="include:\n"
                   "  - {task: drawn/digits, shots: 5, method: none, seed: [7, 8], samples: 8, slot_kind: 'card*s', slot_memory: 0}")
        self.assert_exit(0, self.sweep("--simulate"))
        for seed, host, *_ in self.attempts():
            self.assertEqual("small" if seed > 6 else "large", host, f"seed {seed}")

    def test_a_run_that_no_slot_can_take_is_refused_before_anything_starts(self):
        self.write(2, TWO_HOSTS, more="include:\n"
                   "  - {task: drawn/digits, shots: 5, method: none, seed: 7, slot_kind: Card, slot_memory: 96}")
        done = self.sweep("--simulate")
        self.assert_exit(USAGE, done)
        for words in ("drawn/digits, 5 shots, none, seed 7", "'Card'", "96 GiB", "1 x Card L (80 GiB)"):
            self.assertIn(words, done.stderr)
        self.assertFalse((self.out / "ledger.sqlite").exists())

    def test_a_host_that_fails_run_after_run_gets_no_more(self):
        self.write(16, "seconds: 0.1\n  " + TWO_HOSTS + "  faults:\n"
                   "    - {fault: environment, hosts: [small], match: {seed: [0, 1, 2, 3, 4, 5, 6, 7]}}\n"
                   "    - {fault: no_start, hosts: [small]}")
        done = self.sweep("--simulate")
        self.assert_exit(0, done)
        self.assertEqual({"done": 16}, self.statuses())
        failed = [seed for seed, host, status, _ in self.attempts() if status == "failed"]
        # Three different runs, and what was on its way by then.
        self.assertGreaterEqual(len(set(failed)), 3)
        self.assertLessEqual(len(failed), 5)
        self.assertEqual({"large"}, {host for _, host, status, _ in self.attempts() if status == "done"})
        self.assertEqual(1, len(self.events("host_excluded")))
        self.assertEqual(1, done.stderr.count("marquee: host small: run after run failed there"))
        status = self.marquee("status", "--json")
        self.assertEqual(1, len(json.loads(status.stdout)["excluded_hosts"]))
        self.assertIn("excluded: small", self.marquee("status").stdout)

    def test_hosts_that_all_fail_are_all_kept(self):
        self.write(6, TWO_HOSTS + "  faults: [{fault: environment}]")
        self.assert_exit(SOME_FAILED, self.sweep("--simulate"))
        self.assertEqual({"failed": 6}, self.statuses())
        self.assertEqual([], self.events("host_excluded"))
        # Each was tried on both.
        self.assertEqual([(2, 2)] * 6, self.rows("SELECT count(*), count(DISTINCT host) FROM attempts GROUP BY run_id"))

    def test_out_of_memory_is_tried_once_more_where_there_is_more(self):
        self.write(3, "seconds: 0.05\n  " + TWO_HOSTS + "  faults:\n"
                   "    - {fault: out_of_memory, hosts: [small]}\n"
                   "    - {fault: out_of_memory, match: {seed: 2}}")
        done = self.sweep("--simulate")
        self.assert_exit(SOME_FAILED, done)
        self.assertEqual({"done": 2, "failed": 1}, self.statuses())
        for seed, host, status, cause in self.attempts():
            self.assertEqual((host == "large" and seed != 2, status), (status == "done", status), f"seed {seed}")
            self.assertEqual(None if status == "done" else "out_of_memory", cause)
        self.assertIn("set aside: raise micro_batches", done.stderr)
        run = self.rows("SELECT run_id FROM runs WHERE seed = 2")[0][0]
        told = self.marquee("explain", run[:12]).stdout
        self.assertIn("out of memory", told)
        self.assertIn("raise micro_batches", told)

    def test_out_of_memory_on_the_largest_slot_is_final(self):
        self.write(1, "faults: [{fault: out_of_memory}]")
        self.assert_exit(SOME_FAILED, self.sweep("--simulate"))
        self.assertEqual([(0, "failed", "out_of_memory")], [(s, status, c) for s, _, status, c in self.attempts()])

    def test_nothing_starts_that_cannot_end_in_time(self):
        self.write(20, "seconds: 1")
        done = self.sweep("--simulate", "--time-limit", "5", "--time-margin", "1", "--json")
        self.assert_exit(OUT_OF_TIME, done)
        statuses = self.statuses()
        self.assertGreaterEqual(statuses["done"], 2, statuses)
        self.assertEqual(20, statuses["done"] + statuses["pending"], statuses)
        self.assertEqual(0, len([a for a in self.attempts() if a[2] == "interrupted"]), self.attempts())
        self.assertEqual(1, done.stderr.count("do not start"), done.stderr)
        self.assertIn("out of time (--time-limit 5)", done.stderr)
        self.assertTrue(json.loads(done.stdout)["out_of_time"])
        # Known from the start now: the next allocation is too short for any of them.
        done = self.sweep("--simulate", "--time-limit", "1.5", "--time-margin", "0.9")
        self.assert_exit(ENVIRONMENT, done)
        self.assertIn("leaves no run the time to reach a checkpoint", done.stderr)

    def test_what_runs_at_the_end_is_interrupted(self):
        self.write(3, "seconds: 60\n  deadline_seconds: 70")
        began = time.monotonic()
        done = self.sweep("--simulate", "--time-margin", "1",
                          environment=self.environment(SLURM_JOB_END_TIME=int(time.time()) + 4))
        self.assert_exit(OUT_OF_TIME, done)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual([("interrupted",)] * 2, self.rows("SELECT status FROM attempts"))
        self.assertIn("out of time (SLURM_JOB_END_TIME): 3 of 3 runs wait", done.stderr)
        self.assert_no_process_left()

    def test_a_probe_tells_once_how_long_each_kind_takes(self):
        calls = self.folder / "probes"
        trainer = self.folder / "trainer.py"
        trainer.write_text(PROBED_TRAINER.format(python=sys.executable, calls=calls, fake=FAKE_TRAINER))
        trainer.chmod(0o755)
        environment = self.environment(MARQUEE_TRAINER=trainer)
        # By what it says nothing can reach a checkpoint.
        done = self.sweep("--probe", "--time-limit", "60", "--time-margin", "1", environment=environment)
        self.assert_exit(ENVIRONMENT, done)
        self.assertIn("leaves no run the time", done.stderr)
        self.assertEqual({"prompt", "none"}, set(calls.read_text().split()))
        self.assertEqual(2, len(calls.read_text().split()))
        self.assert_exit(0, self.sweep(environment=environment))
        self.assertEqual(2, len(calls.read_text().split()), "only when it is asked for")

    def test_options_that_make_no_sense_are_refused(self):
        self.write(1, "seconds: 0")
        for option, value in (("--time-limit", "soon"), ("--time-limit", "-1"), ("--time-margin", "-1")):
            self.assert_exit(USAGE, self.sweep("--simulate", option, value))


if __name__ == "__main__":
    main()
