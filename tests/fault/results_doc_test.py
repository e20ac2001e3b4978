"""Every SQL question in docs/results.md is asked, of a sweep of no-op trainers: through marquee, and through SQLite
itself. Its commands are tried by docs_commands_test.py."""

import json
import re
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


if __name__ == "__main__":
    unittest.main()
