"""Every shipped experiment: planned where neither data nor large bases are; the small ones whole with no-op trainers,
and a few of their runs, cut to two steps, with the real one."""

import json
import re
import subprocess

from harness import ENVIRONMENT, MARQUEE, ROOT, FaultTest, main, real_assets, real_trainer

FILES = sorted(path for path in (ROOT / "experiments").glob("*.yaml") if not path.name.startswith("pretrain_"))
SMALL = [path for path in FILES if path.stem.endswith("_mini") and path.stem != "selection_mini"]
LARGE = [path for path in FILES if (path.parent / f"{path.stem}_mini.yaml").exists()]


class Experiments(FaultTest):
    def marquee(self, *words, timeout=120, **environment):
        return subprocess.run([str(MARQUEE), *map(str, words)], capture_output=True, text=True, timeout=timeout,
                              env=self.environment(**environment))

    def plan(self, path, *more):
        assets = real_assets()
        if assets is None:
            self.skipTest("the shipped bases are not there")
        done = self.marquee("plan", path, "--out", self.out, "--assets", assets, "--no-probe", "--json", *more)
        self.assertIn(done.returncode, (0, ENVIRONMENT), f"{path.name}: {done.stderr}")
        return done.returncode, json.loads(done.stdout)

    def test_the_seven_large_ones_and_their_small_forms_are_there(self):
        self.assertEqual([path.stem for path in LARGE],
                         ["ablation_conditions", "ablation_factors", "ablation_length", "ablation_marquee",
                          "base_family", "few_shot", "vtab"])

    def test_large_ones_are_planned_and_name_what_is_missing(self):
        for path in LARGE:
            with self.subTest(file=path.name):
                code, plan = self.plan(path)
                self.assertEqual(code, ENVIRONMENT)
                missing = {(each["what"], each["name"]) for each in plan["missing"]}
                self.assertIn(("base", "maskgit256"), missing)
                tasks = {run["task"] for run in plan["list"]}
                self.assertEqual({name for what, name in missing if what == "data"}, tasks)

    def test_small_ones_need_eurosat_alone(self):
        for path in SMALL:
            with self.subTest(file=path.name):
                _, plan = self.plan(path)
                missing = [each["name"] for each in plan["missing"] if each["what"] != "trainer"]
                self.assertEqual(missing, ["eurosat"])

    def test_heads_and_documentation_tell_the_number_of_runs(self):
        table = (ROOT / "docs" / "sweeps.md").read_text()
        for path in [*LARGE, *SMALL]:
            with self.subTest(file=path.name):
                runs = self.plan(path)[1]["runs"]["total"]
                self.assertIn(f" {runs} runs", path.read_text().split("name:")[0])
                row = re.search(rf"`{path.name}`[^\n]*", table)
                self.assertIsNotNone(row)
                if path.stem != "ablation_methods_mini":
                    self.assertIn(f"| {runs:,} |", row[0])

    def test_small_ones_pass_whole_with_no_op_trainers(self):
        for path in SMALL:
            with self.subTest(file=path.name):
                done = self.marquee("sweep", path, "--simulate", "--out", self.folder / path.stem, "--workers", 2,
                                    "--slots-per-host", 2, "--json")
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_small_ones_pass_in_a_cut_form(self):
        if real_trainer() is None or real_assets() is None:
            self.skipTest("needs marquee-trainer and the shipped bases")
        out = self.folder / "cut"  # one folder: what is cached of the task serves all
        for name in ("ablation_marquee_mini", "base_family_mini"):
            with self.subTest(file=name):
                text = (ROOT / "experiments" / f"{name}.yaml").read_text()
                for key, value in (("steps", 2), ("samples", 16), ("decode_steps", 2)):
                    text, found = re.subn(rf"(?m)^  {key}: \d+", f"  {key}: {value}", text)
                    self.assertEqual(found, 1, key)
                cut = self.folder / f"{name}.yaml"
                cut.write_text(text + "\noracles: false\n")
                done = self.marquee("sweep", cut, "--subset", "ci", "--out", out, "--assets", real_assets(),
                                    "--workers", 1, "--quiet", "--json", timeout=300, MARQUEE_TRAINER=real_trainer())
                self.assertEqual(done.returncode, 0, done.stderr)
        rows = json.loads(self.marquee("query", "--out", out, "--format", "json",
                                       "SELECT method, base, marquee, status, fid_mini FROM results").stdout)
        for row in rows:
            self.assertEqual(row["status"], "done")
            self.assertGreater(row["fid_mini"], 0)
        self.assertEqual({row["base"] for row in rows}, {"mini", "mini_ar"})
        self.assertIn("instances", {row["marquee"] for row in rows})


if __name__ == "__main__":
    main()
