"""Every command in README.md and docs/*.md: asked of a sweep of no-op trainers, run as a script, or checked with
--dry-run. A line that is none of these, a mistyped option, a placeholder that nobody knows: each fails."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

from docs_blocks import OTHERS, Block, Command, alternatives, blocks_of, commands_of, pages
from harness import BIN, ENVIRONMENT, MARQUEE, ROOT, FaultTest, make_fake_assets, real_assets, real_trainer

# How a command of ours is tried; the longest name that a line begins with decides.
ANSWERED = "run as it stands, of a finished sweep of no-op trainers"
OWN = "with --dry-run, which tells what the command would do"
CHECKED = "with --dry-run, which checks the words"
HOW = {
    "query": ANSWERED, "compare": ANSWERED, "diff": ANSWERED, "explain": ANSWERED, "status": ANSWERED,
    "report": ANSWERED, "export csv": ANSWERED, "export tensorboard": ANSWERED, "export cards": ANSWERED,
    "export datasette": ANSWERED, "evaluate --list": ANSWERED, "import --list": ANSWERED, "ablations": ANSWERED,
    "sweep": OWN, "rerun": OWN, "cancel": OWN, "gc": OWN, "merge": OWN, "import": OWN,
    "status --watch": CHECKED, "report --watch": CHECKED,  # without end while a sweep runs
    "compare --across": CHECKED,  # no-op trainers make everything alike
    "plan": CHECKED, "work": CHECKED, "slurm submit": CHECKED, "slurm status": CHECKED, "slurm cancel": CHECKED,
    "data inspect": CHECKED, "data verify": CHECKED, "data export": CHECKED, "data cache": CHECKED, "doctor": CHECKED,
    "run": CHECKED, "sample": CHECKED, "evaluate": CHECKED, "export prompt": CHECKED, "pretrain": CHECKED,
    "import features": CHECKED, "completion": CHECKED, "man": CHECKED,
    "--version": ANSWERED, "--describe": ANSWERED, "--failpoints": ANSWERED,
}
OF_THE_TRAINER = ("run", "sample", "evaluate", "export prompt", "pretrain", "import", "data cache")

# Scripts are looked at, not run: they are there, and know the options that a page gives them.
SCRIPTS = {
    "scripts/quickstart": "installs packages and builds: what a fresh clone does",
    "scripts/test": "runs this test",
    "scripts/soak": "a night",
    "scripts/fuzz": "fuzz.* run it",
    "scripts/check_format": "CI runs it before the tests",
    "scripts/lint": "CI runs it beside the tests",
    "scripts/fetch_libtorch": "downloads",
    "scripts/convert_weights": "needs PyTorch; convert_weights_test runs it where there is one",
    "scripts/compare_metrics": "downloads the field's tools",
}

# Words in capitals stand for the reader's own.
STANDS_FOR = {"FILE": "my_sweep.yaml", "DIR": "results", "ID": "{run}", "RUN": "{run}", "TFDS": "data", "SQL": "seed = 0",
              "N": "4", "TFDS_FOLDER": "data", "JOB": "17", "NODE": "node7", "RECIPE": "my_base.yaml"}
WORD = re.compile(r"[A-Z][A-Z_]*$")
ADDED = {"docs/extending.md": ("--method bias", "--method lora")}  # what the page's examples would add

# Pages whose `sh` blocks are a script from beginning to end, with what makes them short.
SCRIPTED = {"docs/tutorial.md": [(r"steps: 100\b", "steps: 4"), (r"samples: 256\b", "samples: 40"),
                                 (r"(--to my_images/digits)\n", r"\1\nfind my_images -name '*[1-9].png' -delete\n"),
                                 (r"(marquee plan .*)", r"\1 --no-probe")],
            "docs/extending.md": [(r"steps: 100\b", "steps: 2"), (r"scenes: 500\b", "scenes: 20"), (r"warmup: 10\b", "warmup: 1"),
                               (r"splits: \[train\]", "splits: [val]")]}

METHODS = """\
name: {name}
defaults: {{samples: 8, prompt_length: 128}}
matrix:
  task: [dtd, eurosat, drawn/shapes_count]
  shots: [1, 5]
  method: [prompt, none, finetune]
  seed: [0, 1]
simulate: {{seconds: 0, steps: 2, files: false}}
"""
LENGTHS = """\
name: ablation_length_mini
defaults: {samples: 8}
matrix:
  task: [dtd, drawn/shapes_count]
  shots: [5]
  method: [prompt]
  seed: [0, 1]
  prompt_length: [1, 16, 64, 128]
simulate: {seconds: 0, steps: 2, files: false}
"""
FAMILIES = """\
name: base_family_mini
defaults: {samples: 8}
matrix:
  base: [mini, mini_ar]
  task: [eurosat, drawn/digits]
  shots: [20]
  method: [prompt, finetune, none]
  seed: [0]
simulate: {seconds: 0, steps: 2, files: false}
"""
VTAB = """\
name: vtab_mini
defaults: {samples: 8}
matrix:
  task: [eurosat, drawn/digits]
  shots: [vtab1k]
  method: [prompt, scratch]
  seed: [0]
simulate: {seconds: 0, steps: 2, files: false}
"""


def how(words):
    """(name in HOW, what it says) of the words behind `marquee`, or None."""
    flags = {word.split("=")[0] for word in words if word.startswith("--")}
    names = [" ".join(words[:2]), words[0]] if words else []
    for flag in ("--watch", "--list", "--across"):
        if flag in flags:
            names.insert(0, f"{words[0]} {flag}")
    for name in names:
        if name in HOW:
            return name, HOW[name]
    return None


def filled(word, run):
    """A word with what its placeholders stand for; raises KeyError for one that nobody knows."""
    if " " in word:
        return word  # SQL
    if word == "...":  # what was said before
        return "results"
    parts = re.split(r"([/:,.=])", word)
    return "".join(STANDS_FOR[part].format(run=run) if WORD.match(part) else part
                   for part in parts)


class DocsCommands(FaultTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.blocks = [block for page in pages(ROOT) for block in blocks_of(page, ROOT)]
        cls.commands = [command for block in cls.blocks for command in commands_of(block)
                        if not (block.kind == "sh" and block.page in SCRIPTED)]

    def setUp(self):
        super().setUp()
        make_fake_assets_beside(self.assets)
        (self.folder / "experiments").symlink_to(ROOT / "experiments")
        for name in ("data", "results"):  # what TFDS and DIR stand for
            (self.folder / name).mkdir()

    # -- what a line is tried on -------------------------------------------------------------------------

    def results_for(self, words):
        """The folder of no-op results that has what a line asks for."""
        text = " ".join(words)
        name = next((name for word, name in (("base_family", "families"), ("vtab_mini", "vtab"), ("length", "lengths"))
                     if word in text), "methods")
        folder = self.folder / name
        if not folder.exists():
            sweeps = {"families": [FAMILIES], "lengths": [LENGTHS], "vtab": [VTAB],
                      "methods": [METHODS.format(name="before"), METHODS.format(name="after")]}[name]
            for number, sweep in enumerate(sweeps):
                file = self.folder / f"{name}-{number}.yaml"
                file.write_text(sweep)
                self.assert_exit(0, self.sweep("--simulate", out=folder, sweep_file=file))
            for place in ("old/results", "new/results", "cluster-a/results", "cluster-b/results"):
                if name == "methods":
                    shutil.copytree(folder, self.folder / place)
        return folder

    def my_sweep(self):
        """my_sweep.yaml is the first sweep of docs/sweeps.md."""
        file = self.folder / "my_sweep.yaml"
        file.write_text(next(block.text for block in self.blocks
                             if block.page == "docs/sweeps.md" and block.kind == "yaml"))

    def try_marquee(self, words):
        """Tries the words behind `marquee` in the way of HOW; returns it."""
        found = how(words)
        self.assertIsNotNone(found, "no entry in HOW says how this command is tried")
        name, way = found
        if name in ("evaluate --list", "import --list") or name.split(" ")[0] in OF_THE_TRAINER or name in OF_THE_TRAINER:
            if real_trainer() is None:
                return "left out: no marquee-trainer in this build"
            environment = {"MARQUEE_TRAINER": real_trainer()}
        else:
            environment = {}
        if way == CHECKED:
            words = [filled(word, "0" * 64) for word in words] + ["--dry-run"]
        else:
            results, run = None, "0" * 64
            if name not in ("sweep", "import", "evaluate --list", "import --list") and not name.startswith("--"):
                results = self.results_for(words)
                run = self.rows("SELECT run_id FROM results WHERE method = 'prompt' AND status = 'done'", results)[0][0]
            words = [filled(word, run) for word in words]
            if results is not None and "--out" in words:
                words[words.index("--out") + 1] = str(results)
            # No-op trainers have no Inception, and their numbers lie between 0 and 1.
            words = [re.sub(r"^fid(?=$|,)", "fid_mini", word).replace("fid_mini > 30", "fid_mini > 0.3") for word in words]
            if way == OWN:
                words.append("--dry-run")
            if name == "sweep" or "--set" in words:
                words.append("--simulate")
        done = subprocess.run([str(MARQUEE), *words], cwd=self.folder, capture_output=True, text=True, timeout=120,
                              env=self.environment(MARQUEE_ASSETS=self.assets, **environment))
        if name == "import" and done.returncode == ENVIRONMENT:
            self.assertRegex(done.stderr, "No such file|is no safetensors file")  # its --dry-run reads them; the words were right
        else:
            self.assert_exit(0, done)
        if way == CHECKED:
            self.assertIn("understood", done.stdout)
        return way

    def try_line(self, text):
        """Tries one line of a page; returns in which way, or fails."""
        words = Command("", 0, text).words
        if words[0].startswith("scripts/"):
            self.assertIn(words[0], SCRIPTS, "no entry in SCRIPTS says why it is not run")
            script = ROOT / words[0]
            self.assertTrue(os.access(script, os.X_OK), f"{script} is no program")
            known = script.read_text() + "".join(path.read_text() for path in script.parent.glob(f"{script.name}.py"))
            for word in words[1:]:
                if word.startswith("--"):
                    self.assertIn(word.split("=")[0], known, f"{words[0]} knows no such option")
            return f"not run: {SCRIPTS[words[0]]}"
        if words[0] in ("mpirun", "srun"):
            ours = next((at for at, word in enumerate(words) if word == "marquee"), None)
            self.assertIsNotNone(ours, "nothing of ours is started")
            words = words[ours:]
        self.assertTrue(words[0] == "marquee" or words[0].endswith("bin/marquee"), f"{words[0]} is no program of ours")
        return self.try_marquee(words[1:])

    # -- tests -------------------------------------------------------------------------------------------

    def test_every_command_is_run_or_checked(self):
        self.my_sweep()
        self.assertGreater(len(self.commands), 70)
        ways = {}
        for command in self.commands:
            with self.subTest(command=str(command)):
                if command.words[0] in OTHERS:
                    continue
                for text in alternatives(command.text.replace(*ADDED.get(command.page, ("\n", "\n")))):
                    way = self.try_line(text)
                    ways[way] = ways.get(way, 0) + 1
        for way, count in sorted(ways.items()):
            print(f"\n{count:4} {way}", file=sys.stderr, end="")
        print(file=sys.stderr, flush=True)

    def test_blocks_are_of_a_known_kind(self):
        for block in self.blocks:
            with self.subTest(block=str(block)):
                self.assertIn(block.kind, ("", "sh", "console", "text", "sql", "yaml", "json", "python", "cpp", "diff"))
                if block.kind == "sh":
                    self.assertIn(block.page, SCRIPTED, "a script that nothing runs")

    def test_a_wrong_line_fails(self):
        self.my_sweep()
        for text in ("marquee query --out results --odrer fid", "marquee sweep FILE --out DIR --worker 2",
                     "mpirun -n 9 marquee sweep FILE --out DIR --dta x", "marquee slurm submit FILE --out DIR --node 4",
                     "marquee quary --out results", "marquee query --out results best_of", "scripts/lint --fast",
                     "scripts/lnit", "marquee explain RUNS --out results", "marquee doctor --gpu",
                     "marquee compare --out results none promt", "srun -n 9 hostname",
                     "marquee plan my_sweep.yaml --workers 2"):
            with self.subTest(text), self.assertRaises((AssertionError, KeyError)):
                self.try_line(text)

    def test_a_misspelt_program_is_no_output(self):
        block = Block("page.md", 1, "", "marqee query --list\nscript/lint ci\nmarquee query --list\nmemory  12 MiB\n")
        self.assertEqual([2, 3, 4], [command.line for command in commands_of(block)])

    def test_options_named_in_the_text_exist(self):
        """`marquee COMMAND ... --option` within a sentence: what the programs say of themselves has them."""
        trainer = real_trainer()
        described = subprocess.run([str(MARQUEE), "--describe"], capture_output=True, text=True, timeout=60,
                                   env=self.environment(**({"MARQUEE_TRAINER": trainer} if trainer else {})))
        commands = {}

        def collect(facts, path):
            commands[path] = {"--" + option["name"] for option in facts["options"]} | {
                "-" + option["short"] for option in facts["options"] if option["short"]}
            for part in facts["parts"]:
                collect(part, f"{path} {part['name']}".strip())

        collect(json.loads(described.stdout), "")
        looked = 0
        for page in pages(ROOT):
            text = re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text())
            for span in re.findall(r"`((?:[a-z0-9/._-]*/)?marquee [^`]+)`", text):
                words = span.replace("[", " ").replace("]", " ").split()[1:]
                path = next((name for name in (" ".join(words[:2]), words[0]) if name in commands), None)
                with self.subTest(page=page.name, span=span):
                    if words[0].startswith("--") or words[0] == "COMMAND" or span == "marquee prompt":  # a file's format
                        continue
                    self.assertIsNotNone(path, f"no command '{words[0]}'")
                    if trainer is None and not commands[path]:
                        continue
                    for word in words:
                        if re.match(r"--?[a-z]", word):
                            looked += 1
                            self.assertIn(word.split("=")[0].rstrip(",.;"), commands[path])
        self.assertGreater(looked, 20)

    def test_scripts_of_a_page_run(self):
        """The tutorial, and what else is written to be typed in from top to bottom."""
        if real_trainer() is None or real_assets() is None:
            self.skipTest("needs marquee-trainer and the shipped bases")
        for page, shorter in SCRIPTED.items():
            with self.subTest(page=page):
                blocks = [block for block in self.blocks if block.page == page]
                script = "\n".join(block.text for block in blocks if block.kind == "sh")
                for pattern, text in shorter:
                    script, found = re.subn(pattern, text, script)
                    self.assertGreater(found, 0, f"{page} has no {pattern}")
                folder = self.folder / pathlib.Path(page).stem
                folder.mkdir()
                (folder / "assets").symlink_to(real_assets())
                environment = self.environment(MARQUEE_TRAINER=real_trainer(), MARQUEE_ASSETS=real_assets(),
                                               PATH=f"{BIN}:{os.environ['PATH']}")
                done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=environment,
                                      capture_output=True, text=True, timeout=300)
                self.assert_exit(0, done)
                said = done.stdout + done.stderr
                for block in blocks:
                    if block.kind == "console":
                        continue
                    if block.kind == "text" and "<" not in block.text:
                        for word in re.findall(r"[a-z_]{4,}", block.text.split("\n")[0]):
                            self.assertIn(word, said, f"{block}: the page shows what nothing printed")
                for name in re.findall(r"--out (\S+\.(?:png|safetensors))", script):
                    self.assertGreater((folder / name).stat().st_size, 100, name)
        self.assertTrue((self.folder / "tutorial" / "results" / "digits" / "report" / "index.html").exists())


def make_fake_assets_beside(folder):
    """Further bases for the fake trainer, beside `mini`: those that the shipped sweeps name."""
    for name in ("mini_ar", "maskgit256"):
        (folder / name).mkdir()
        for file in (folder / "mini").iterdir():
            text = file.read_bytes()
            (folder / name / file.name).write_bytes(text)
        manifest = json.loads((folder / name / "manifest.json").read_text())
        manifest["name"] = name
        (folder / name / "manifest.json").write_text(json.dumps(manifest))


if __name__ == "__main__":
    unittest.main()
