"""Every question in docs/results.md is asked, of a sweep of no-op trainers: through marquee, and through SQLite itself."""

import json
import re
import shlex
import sqlite3
import unittest

from harness import ROOT, SOME_FAILED, FaultTest

SWEEP = """\
name: simulated
defaults: {samples: 8}
matrix:
  task: [drawn/dsprites_location, drawn/shapes_count]
  shots: [1, 5]
  method: [prompt, none, finetune]
  seed: [0, 1, 2]
include:
  - {task: drawn/shapes_count, shots: 5, method: prompt, seed: 0, prompt_length: 16}
  - {task: drawn/shapes_count, shots: 5, method: prompt, seed: 0, prompt_length: 128}
simulate: {seconds: 0, steps: 2, faults: [{fault: crash, match: {method: none, seed: 2}}]}
"""
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class ResultsPage(FaultTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        text = (ROOT / "docs" / "results.md").read_text()
        cls.blocks = BLOCK.findall(text)

    def setUp(self):
        super().setUp()
        self.sweep_file.write_text(SWEEP)
        self.assert_exit(SOME_FAILED, self.sweep("--simulate"))

    def test_every_block_is_answered(self):
        connection = sqlite3.connect(f"file:{self.out / 'results.sqlite'}?mode=ro&immutable=1", uri=True)
        self.addCleanup(connection.close)
        asked = [sql for language, sql in self.blocks if language == "sql"]
        self.assertGreaterEqual(len(asked), 20)
        answered = 0
        for sql in asked:
            with self.subTest(sql):
                plain = connection.execute(sql).fetchall()
                told = self.marquee("query", "--format", "json", sql.strip().rstrip(";"))
                self.assert_exit(0, told)
                self.assertEqual(plain, [tuple(row.values()) for row in json.loads(told.stdout)])
                answered += bool(plain)
        self.assertGreaterEqual(answered, 15, "most questions found nothing to answer")

    def test_every_command_runs(self):
        runs = [row[0] for row in self.rows("SELECT run_id FROM results WHERE status = 'done' AND method = 'prompt'")]
        lines = [line for language, block in self.blocks if not language for line in block.splitlines()
                 if line.startswith("marquee ")]
        self.assertGreater(len(lines), 8)
        for line in lines:
            if "before" in line or "/results" in line:  # other sweeps and folders: paired_comparison_test, merge_test
                continue
            if line.startswith("marquee export"):  # writes folders of its own: outside/readers_test
                continue
            with self.subTest(line):
                words = shlex.split(line)[1:]
                command = words.pop(0)
                if "--out" in words:
                    del words[words.index("--out"):words.index("--out") + 2]
                words = [runs[0] if word == "RUN" else word for word in words]
                if command == "compare":  # what the sweep has
                    words = [word.replace("fid,recall", "fid_mini,recall").replace(
                        "method=prompt prompt_length", "task=drawn/shapes_count shots=5 seed=0 method=prompt prompt_length")
                        for word in words]
                    if words[:3] == ["none", "prompt", "finetune"]:
                        words[1] = "method=prompt prompt_length=8"
                words = ["fid_mini" if word == "fid" else word for word in words]
                self.assert_exit(0, self.marquee(command, *words))


if __name__ == "__main__":
    unittest.main()
