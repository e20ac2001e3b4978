"""`marquee rerun --set`: one ablation again with keys changed, and its difference to the first. No-op trainers."""

import json
import unittest

from harness import ENVIRONMENT, FAKE_SWEEP, USAGE, FaultTest, make_fake_assets

SWEEP = """\
name: simulated
defaults: {samples: 8, checkpoint_interval: 7}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt, none]
  seed: [0, 1]
include:
  - {task: drawn/dsprites_location, shots: 5, method: prompt, seed: 0, prompt_length: 4}
simulate: {seconds: 0, steps: 20}
"""


class RerunSet(FaultTest):
    def setUp(self):
        super().setUp()
        self.sweep_file.write_text(SWEEP)

    def again(self, *words, where="method = 'prompt' OR method = 'none' AND seed = 0"):
        return self.marquee("rerun", "--where", where, "--simulate", *words)

    def derived(self):
        return self.rows("SELECT seed, status, sweep, run_id FROM results WHERE prompt_length = 16 ORDER BY seed")

    def attempts_made(self):
        return self.rows("SELECT count(*) FROM attempts")[0][0]

    def coordinators(self):
        return self.rows("SELECT count(*) FROM coordinators")[0][0]

    def test_an_ablation_again(self):
        self.assert_exit(0, self.sweep("--simulate"))
        set_length = ("--set", "prompt_length=16", "--slots-per-host", "2")

        listed = self.again(*set_length, "--dry-run")
        self.assert_exit(0, listed)
        self.assertIn("prompt_length 4, 8 -> 16", listed.stdout)
        self.assertIn("prompt_length 8 -> 16", listed.stdout)
        self.assertIn("1 chosen run left out", listed.stdout)
        told = self.again(*set_length)
        self.assert_exit(0, told)
        self.assertIn("--workers N", told.stdout)
        self.assertEqual([], self.derived())

        # Seed 0 comes from two runs.
        first = self.again(*set_length, "--workers", "1")
        self.assert_exit(0, first)
        self.assertIn("2 of 2 runs done", first.stdout)
        self.assertEqual([(0, "done", None), (1, "done", None)], [row[:3] for row in self.derived()])
        self.assertEqual([(7,)], self.rows("SELECT DISTINCT json_extract(config, '$.checkpoint_interval') FROM runs "
                                           "WHERE prompt_length = 16"))
        self.assertEqual([], list(self.out.glob(".rerun*")))
        report = first.stdout[first.stdout.index("difference to the first by prompt_length=16"):]
        for row in self.derived():
            self.assertIn(f"-> {row[3][:12]}  drawn/dsprites_location, 5 shots, prompt, seed {row[0]}", report)
        values = dict(self.rows("SELECT run_id, value FROM metrics WHERE metric = 'fid_mini'"))
        made = (self.attempts_made(), self.coordinators())

        # Nothing is computed and the same is told.
        second = self.again(*set_length, "--workers", "1")
        self.assert_exit(0, second)
        self.assertTrue(second.stdout.endswith(report), f"{second.stdout}\nshould end with\n{report}")
        data = json.loads(self.again(*set_length, "--workers", "1", "--json").stdout)
        self.assertEqual(made, (self.attempts_made(), self.coordinators()))
        pairs = data["differences"]["pairs"]
        self.assertEqual(3, len(pairs))
        for pair in pairs:
            fid = pair["metrics"][0]
            self.assertEqual("fid_mini", fid["metric"])
            self.assertEqual(values[pair["after"]["run_id"]] - values[pair["before"]["run_id"]], fid["difference"])
        mean = data["differences"]["means"][0]
        self.assertEqual(("fid_mini", 3), (mean["metric"], mean["pairs"]))
        self.assertAlmostEqual(sum(pair["metrics"][0]["difference"] for pair in pairs) / 3, mean["mean"])
        self.assert_no_process_left()

    def test_json_while_it_computes(self):
        self.assert_exit(0, self.sweep("--simulate"))
        done = self.again("--set", "dropout=0.5", "--workers", "1", "--json", where="prompt_length = 4")
        self.assert_exit(0, done)
        data = json.loads(done.stdout)
        self.assertEqual((1, 1, ["dropout=0.5"]), (data["total"], data["done"], data["set"]))
        self.assertEqual(1, len(data["differences"]["pairs"]))

    def test_other_weights_are_refused(self):
        self.sweep_file.write_text(FAKE_SWEEP.replace("[0, 1]", "[0]"))
        self.assert_exit(0, self.sweep())
        words = ("rerun", "--where", "method = 'prompt'", "--set", "prompt_length=16", "--workers", "1")
        done = self.marquee(*words, "--assets", self.assets)
        self.assert_exit(0, done)
        self.assertIn("1 of 1 runs done", done.stdout)
        self.assertIn("mean difference", done.stdout)
        made = self.attempts_made()
        other = make_fake_assets(self.folder / "other", " of another training")
        done = self.marquee(*words[:4], "prompt_length=32", *words[5:], "--assets", other)
        self.assertEqual(ENVIRONMENT, done.returncode, done.stdout + done.stderr)
        self.assertIn("was planned with base_hash", done.stderr)
        self.assertEqual(made, self.attempts_made())

    def test_wrong_words_change_nothing(self):
        self.assert_exit(0, self.sweep("--simulate"))
        for word, said in (("promt_length=16", "did you mean 'prompt_length'?"), ("task=dtd", "'task' cannot be set"),
                           ("base_hash=x", "'base_hash' cannot be set"), ("prompt_length=long", "'prompt_length' is 'long'"),
                           ("prompt_length=0", "'prompt_length' is 0"), ("\x1b[2J=1", "'\\x1b[2J'"),
                           ("gang=2", "changes nothing"), ("prompt_length", "expected KEY=VALUE")):
            done = self.again("--set", word, "--workers", "1")
            self.assertEqual(USAGE, done.returncode, f"{word}: {done.stdout}{done.stderr}")
            self.assertIn(said, done.stderr)
        # A value is a value, whatever a shell would make of it.
        kind = "$(touch /tmp/x); `ls` 'a' \"b\""
        done = self.again("--set", f"slot_kind={kind}", "--set", "dropout=0.5", "--dry-run", where="prompt_length = 4")
        self.assert_exit(0, done)
        self.assertIn(kind, done.stdout)
        # The runs are of a simulated sweep.
        done = self.marquee("rerun", "--where", "seed = 0", "--set", "prompt_length=16", "--assets", self.assets)
        self.assertEqual(ENVIRONMENT, done.returncode, done.stdout + done.stderr)
        self.assertIn("give --simulate", done.stderr)
        self.assertEqual([], self.derived())


if __name__ == "__main__":
    unittest.main()
