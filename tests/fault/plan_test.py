"""`marquee plan`: what is left, what is missing, and predictions held against scripted durations."""

import hashlib
import json
import subprocess
import sys

from harness import ENVIRONMENT, MARQUEE, SHARED, SOME_FAILED, USAGE, FaultTest, main, real_assets, real_trainer

# 24 runs; how long each lasts is scripted by method and steps.
SWEEP = """\
name: timed
oracles: false
defaults: {samples: 8}
matrix:
  task: [drawn/dsprites_location, drawn/shapes_count]
  shots: [5]
  method: [prompt, none]
  seed: [0, 1, 2, 3]
  steps: [100, 300]
subsets:
  first: {seed: 0}
simulate:
  seconds: 0.3
  steps: 3
  durations:
    - {seconds: 1.2, match: {method: prompt, steps: 300}}
    - {seconds: 0.6, match: {method: prompt}}
"""

PROBE = """\
#!{python}
import json, sys, time
assert sys.argv[1] == "probe", sys.argv
time.sleep({sleep})
print("a word of a library")
print(json.dumps({{"timing": {{"load": 1.0, "cache": 0, "tune": 0.6, "sample": 2.0, "score": 0, "steps": 3,
                              "images": 8, "peak_bytes": 300000000}}, "fingerprint": {{"device": "cpu"}}}}))
sys.exit({code})
"""


def list_schedule(seconds, workers):
    """Longest first, each to the worker that is free first."""
    free = [0.0] * workers
    for one in sorted(seconds, reverse=True):
        free[free.index(min(free))] += one
    return max(free)


class Plan(FaultTest):
    def plan(self, *options, environment=None, timeout=60, sweep_file=None):
        return subprocess.run([str(MARQUEE), "plan", str(sweep_file or self.sweep_file), "--out", str(self.out),
                               "--assets", str(self.assets), "--slots-per-host", "2", *map(str, options)],
                              env=environment or self.environment(), capture_output=True, text=True, timeout=timeout)

    def planned(self, *options, code=0, **where):
        done = self.plan("--json", *options, **where)
        self.assert_exit(code, done)
        return json.loads(done.stdout)

    def write_probe(self, sleep=0.0, code=0):
        path = self.folder / f"probe-{sleep}-{code}.py"
        path.write_text(PROBE.format(python=sys.executable, sleep=sleep, code=code))
        path.chmod(0o755)
        return self.environment(MARQUEE_TRAINER=path)

    def test_predicts_what_scripted_durations_give(self):
        self.sweep_file.write_text(SWEEP)
        before = self.planned("--simulate", "--workers", "2")
        self.assertEqual({"total": 24, "done": 0, "cancelled": 0, "failed": 0, "to_do": 24, "resumable": 0}, before["runs"])
        self.assertIsNone(before["time"]["seconds"], "nothing to go by")
        self.assertEqual(24, before["time"]["runs_without_prediction"])
        self.assertFalse(self.out.exists(), "a plan writes nothing")

        self.assert_exit(0, self.sweep("--simulate", "--subset", "first"))
        for workers in (1, 2, 5):
            plan = self.planned("--simulate", "--workers", workers)
            self.assertEqual((6, 18), (plan["runs"]["done"], plan["runs"]["to_do"]))
            left = [run for run in plan["list"] if run["status"] != "done"]
            expected = list_schedule([0.3] * 6 + [0.6] * 6 + [1.2] * 6, workers)
            self.assertLess(abs(plan["time"]["seconds"] - expected), 0.3 * expected,
                            f"{workers} workers: predicted {plan['time']['seconds']}, scripted {expected}")
        self.assertTrue(all("same but for the seed" in run["basis"] for run in left), left)

        plan = self.planned("--simulate", "--workers", "2")
        self.assert_exit(0, self.sweep("--simulate"))
        took = self.rows("SELECT 86400 * (julianday(max(ended)) - julianday(min(started))) FROM attempts a JOIN runs r "
                         "USING (run_id) WHERE r.seed > 0")[0][0]
        print(f"predicted {plan['time']['seconds']:.2f} s, took {took:.2f} s", file=sys.stderr)
        # It cannot go faster than scripted; how much slower is up to what else this machine does.
        self.assertGreater(took, 0.7 * plan["time"]["seconds"])
        after = self.planned("--simulate")
        self.assertEqual((24, 0, 0), (after["runs"]["done"], after["runs"]["to_do"], after["time"]["seconds"]))

    def test_counts_failed_runs_and_checkpoints_to_go_on_from(self):
        self.sweep_file.write_text(SWEEP + "  faults:\n    - {fault: usage, match: {seed: 0, method: prompt, steps: 300}}\n")
        self.assert_exit(SOME_FAILED, self.sweep("--simulate", "--subset", "first"))
        failed = self.rows("SELECT run_id FROM runs WHERE status = 'failed' ORDER BY run_id")
        self.assertEqual(2, len(failed))
        folder = self.out / "runs" / failed[0][0] / "attempt-1"
        body = b"a checkpoint"
        seal = b"marquee-hdf5-1 sha256:" + hashlib.sha256(body).hexdigest().encode() + b"\n"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "checkpoint-200.h5").write_bytes(seal.ljust(512, b"\0") + body)
        (folder / "checkpoint-250.h5").write_bytes(seal.ljust(512, b"\0") + body[:-1])  # torn
        plan = self.planned("--simulate", "--subset", "first")
        self.assertEqual({"total": 6, "done": 4, "cancelled": 0, "failed": 2, "to_do": 2, "resumable": 1}, plan["runs"])
        steps = {run["run_id"]: run["resume_step"] for run in plan["list"]}
        self.assertEqual((200, 0), (steps[failed[0][0]], steps[failed[1][0]]))

        told = subprocess.run([str(MARQUEE), "explain", failed[0][0][:12], "--out", str(self.out)],
                              capture_output=True, text=True, timeout=30)
        self.assert_exit(0, told)
        self.assertIn("set aside: failed, after 1 of 1 attempts", told.stdout)
        self.assertIn("goes on from its checkpoint of step 200", told.stdout)
        self.assertIn("takes about", told.stdout)

        cancelled = subprocess.run([str(MARQUEE), "cancel", failed[0][0], "--out", str(self.out)],
                                   capture_output=True, text=True, timeout=30)
        self.assert_exit(0, cancelled)
        plan = self.planned("--simulate", "--subset", "first")
        self.assertEqual({"total": 6, "done": 4, "cancelled": 1, "failed": 1, "to_do": 1, "resumable": 0}, plan["runs"],
                         "a sweep leaves cancelled runs alone")

    def test_names_everything_that_is_missing_with_a_remedy(self):
        empty = self.folder / "empty"
        empty.mkdir()
        (self.assets / "mini" / "features.safetensors").write_bytes(b"short")
        self.sweep_file.write_text(SWEEP.replace("drawn/dsprites_location, ", "eurosat, svhn, "))
        plan = self.planned("--data", empty, "--no-probe", code=ENVIRONMENT,
                            environment=self.environment(MARQUEE_TRAINER="/no/such"))
        self.assertFalse(plan["can_start"])
        self.assertEqual({("base", "mini"), ("data", "eurosat"), ("data", "svhn"), ("trainer", "marquee-trainer")},
                         {(one["what"], one["name"]) for one in plan["missing"]})
        self.assertTrue(all(one["remedy"] for one in plan["missing"]))
        told = self.plan("--data", empty, "--no-probe")
        for word in ("features.safetensors", "eurosat", "svhn", "->", "cannot start"):
            self.assertIn(word, told.stdout)
        self.assertIn("nowhere", self.plan("--data", self.folder / "nowhere", "--no-probe").stdout)
        self.assertFalse(self.out.exists())

    def test_looks_at_what_runs_take_of_the_data(self):
        images = self.folder / "data" / "own"
        for name in ("a", "b"):
            (images / name).mkdir(parents=True)
            for i in range(40 if name == "a" else 8):
                (images / name / f"{i}.png").write_bytes(b"only its name counts here")
        self.sweep_file.write_text(SWEEP.replace("drawn/dsprites_location", "folder/own").replace("[5]", "[5, 7]"))
        plan = self.planned("--data", images.parent, "--no-probe", code=ENVIRONMENT)
        missing = [one["text"] for one in plan["missing"]]
        self.assertEqual(["task 'folder/own' has 5 test images; metrics need 6",
                          "7 shots a class were asked for, too few images: class 1 has 6"], missing)
        self.assertTrue(all(one["remedy"] for one in plan["missing"]))

        for i in range(60):
            (images / "b" / f"more-{i}.png").write_bytes(b"more")
        self.assertTrue(self.planned("--data", images.parent, "--no-probe")["can_start"])

    def test_says_where_mirroring_changes_what_images_show(self):
        shared = SHARED / "data" / "tfds_synth"
        if not shared.is_dir():
            self.skipTest(f"no data at {shared} (MARQUEE_SHARED)")
        text = SWEEP.replace("drawn/dsprites_location, drawn/shapes_count", "svhn, dtd").replace("[5]", "[vtab1k]")
        self.sweep_file.write_text(text)
        notes = self.planned("--data", shared, "--no-probe")["notes"]
        self.assertEqual(["svhn"], [note.split(":")[0] for note in notes if "mirrored" in note])
        self.sweep_file.write_text(text + "tasks: {svhn: {flip: false}}\n")
        notes = self.planned("--data", shared, "--no-probe")["notes"]
        self.assertEqual([], [note for note in notes if "mirrored" in note])

    def test_refuses_what_the_base_was_pretrained_on_as_the_sweep_does(self):
        self.sweep_file.write_text(SWEEP.replace("drawn/shapes_count", "caltech101"))
        for done in (self.plan("--no-probe"), self.sweep()):
            self.assert_exit(USAGE, done)
            self.assertIn("pretrained", done.stderr)
        # Another task that the base names itself.
        manifest = self.assets / "mini" / "manifest.json"
        content = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**content, "provenance": {"task": "drawn/shapes_count"}}))
        self.sweep_file.write_text(SWEEP)
        planned = self.plan("--no-probe")
        self.assert_exit(USAGE, planned)
        self.assertIn("drawn/shapes_count", planned.stdout)
        self.assertIn("pretrained", planned.stdout)
        swept = self.sweep()
        self.assert_exit(USAGE, swept)
        self.assertIn("pretrained", swept.stderr)
        self.assert_no_process_left()

    def test_probes_where_there_is_no_history(self):
        self.sweep_file.write_text(SWEEP)
        plan = self.planned("--workers", "1", environment=self.write_probe())
        # 1 s with each run, 0.2 s a step, 2 s for 8 images of 8 steps.
        self.assertAlmostEqual(8 * 1 + 8 * (1 + 20 + 2) + 8 * (1 + 60 + 2) + 8 * 2, plan["time"]["seconds"], places=6)
        self.assertEqual("a probe", plan["time"]["basis"])
        self.assertTrue(plan["memory"]["measured"])
        self.assertEqual(300000000, plan["memory"]["trainer_bytes"])

    def test_says_unknown_where_no_probe_answers(self):
        self.sweep_file.write_text(SWEEP)
        for options, environment in ((("--no-probe",), None), ((), self.write_probe(code=3)),
                                     (("--probe-seconds", "0.5"), self.write_probe(sleep=30)),
                                     (("--probe-seconds", "1"), self.environment())):
            done = self.plan(*options, environment=environment, timeout=20)
            self.assert_exit(0, done)
            self.assertIn("unknown", done.stdout)
        self.assert_no_process_left()

    def test_a_real_probe(self):
        trainer, assets = real_trainer(), real_assets()
        if trainer is None or assets is None:
            self.skipTest("no real trainer or no base model")
        listed = subprocess.run([str(trainer), "probe", "--help"], capture_output=True, text=True, timeout=60)
        if listed.returncode != 0:
            self.skipTest(f"{trainer} has no probe: built before it")
        self.assets = assets
        self.sweep_file.write_text(SWEEP)
        plan = self.planned("--workers", "1", environment=self.environment(MARQUEE_TRAINER=trainer), timeout=200)
        self.assertIsNotNone(plan["time"]["seconds"], plan["notes"])
        self.assertGreater(plan["time"]["seconds"], 0)
        self.assertTrue(plan["memory"]["measured"])


if __name__ == "__main__":
    main()
