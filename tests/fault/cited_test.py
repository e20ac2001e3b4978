"""Numbers cited from papers, through the commands: which file is taken, what a bad one does, and that results and
questions are the same with and without. No-op trainers (`--simulate`)."""

import json
import re
import subprocess
import unittest

from harness import ENVIRONMENT, MARQUEE, ROOT, USAGE, FaultTest

SWEEP = """\
name: simulated
oracles: false
defaults: {samples: 8}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt, none]
  seed: [0, 1]
simulate: {seconds: 0, steps: 2}
"""
CITED = """\
references:
  author2024: {{citation: "A. Author, A Paper, 2024", url: "https://example.org/paper"}}
numbers:
  - reference: author2024
    generator: {generator}
    task: drawn/dsprites_location
    shots: 5
    metric: fid_mini
    value: 0.0012340
    protocol: 10k samples
    page: p. 7, Table 2
"""


class Cited(FaultTest):
    def setUp(self):
        super().setUp()
        self.sweep_file.write_text(SWEEP)
        self.assert_exit(0, self.sweep("--simulate"))
        self.usual = self.out / "references.yaml"
        self.other = self.folder / "other.yaml"
        self.other.write_text(CITED.format(generator="Other"))

    def report(self, *words):
        self.assert_exit(0, self.marquee("report", *words))
        return [(self.out / "report" / name).read_text() for name in ("index.html", "table.md")]

    def compare(self, *words):
        done = self.marquee("compare", "none", "prompt", *words)
        self.assert_exit(0, done)
        return done.stdout

    def test_the_folders_file_or_the_one_named(self):
        plain = self.report(), self.compare(), self.compare("--json")
        for text in (*plain[0], *plain[1:]):
            self.assertNotIn("0.0012340", text)
        self.usual.write_text(CITED.format(generator="Usual"))
        for name, words in (("Usual", ()), ("Other", ("--references", self.other))):
            with self.subTest(name):
                page, table = self.report(*words)
                self.assertRegex(page, rf"<td>{name}</td><td>fid_mini</td><td class=\"n\">0.0012340</td>")
                self.assertEqual(plain[0][1], table[:table.index("\n## Cited numbers")])
                self.assertIn(f"| {name} | fid_mini | 0.0012340 | 10k samples |", table)
                told = self.compare(*words)
                self.assertTrue(told.startswith(plain[1]), told)
                self.assertRegex(told[len(plain[1]):], rf"(?m)^{name} +fid_mini +0.0012340")
                compared = json.loads(self.compare("--json", *words))
                self.assertEqual([(name, 0.001234)], [(row["generator"], row["value"]) for row in compared[0].pop("cited")])
                without = json.loads(plain[2])
                self.assertEqual([], without[0].pop("cited"))
                self.assertEqual(without, compared)
        for view in ("results", "all_metrics", "evaluations"):
            asked = self.marquee("query", "--format", "json", f"SELECT * FROM {view}")
            self.assert_exit(0, asked)
            self.assertNotIn("Usual", asked.stdout)

    def test_the_example_of_the_documentation(self):
        example, = re.findall(r"^```yaml\n(references:.*?)^```$", (ROOT / "docs" / "results.md").read_text(), re.M | re.S)
        self.other.write_text(example)
        table = self.report("--references", self.other)[1]
        self.assertIn("### eurosat, 5 shots", table)
        self.assertIn("| A-GAN | fid | 12.34 |", table)

    def test_without_out_only_a_named_file(self):
        self.usual.write_text(CITED.format(generator="Usual"))
        sides = [f"{self.out} method={method}" for method in ("none", "prompt")]
        for words, cited in (((), False), (("--references", str(self.other)), True)):
            done = subprocess.run([str(MARQUEE), "compare", *sides, *words], env=self.environment(), capture_output=True,
                                  text=True, timeout=60)
            self.assert_exit(0, done)
            self.assertEqual(cited, "Cited numbers" in done.stdout)
            self.assertNotIn("Usual", done.stdout)

    def test_what_is_not_beside_the_comparison_is_said(self):
        self.other.write_text(CITED.format(generator="Other").replace("fid_mini", "fid"))
        done = self.marquee("compare", "none", "prompt", "--references", self.other)
        self.assert_exit(0, done)
        self.assertNotIn("Cited", done.stdout)
        self.assertIn("cites no number of a task, shots and metric that were compared", done.stderr)

    def test_files_that_are_none(self):
        for command, words in (("report", ()), ("compare", ("none", "prompt"))):
            self.usual.unlink(missing_ok=True)
            missing = self.marquee(command, *words, "--references", self.folder / "missing.yaml")
            self.assert_exit(ENVIRONMENT, missing)
            self.assertIn("missing.yaml", missing.stderr)
            self.usual.write_text(CITED.format(generator="Usual").replace("metric:", "metrik:"))
            bad = self.marquee(command, *words)
            self.assert_exit(USAGE, bad)
            self.assertRegex(bad.stderr, re.escape(str(self.usual)) + r":8: unknown key 'metrik'.*did you mean 'metric'")
            self.assertEqual("", bad.stdout)
            self.assert_exit(0, self.marquee(command, *words, "--references", self.other))


if __name__ == "__main__":
    unittest.main()
