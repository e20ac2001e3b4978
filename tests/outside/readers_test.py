"""Exports and the results database as other programs read them: pandas, Datasette and TensorBoard from PyPI, in an
environment of their own. Skipped by name where they cannot be installed."""

import csv
import json
import pathlib
import struct
import subprocess
import sys
import unittest
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault"))

from harness import MARQUEE, FaultTest  # noqa: E402
from pypi import interpreter_with  # noqa: E402

PACKAGES = ["pandas==2.3.3", "datasette==0.65.5", "tensorboard==2.20.0", "setuptools==80.9.0"]

SWEEP = """\
name: small
oracles: false
defaults: {samples: 8}
matrix:
  task: [drawn/dsprites_location, drawn/shapes_count]
  shots: [5]
  method: [prompt, none]
  seed: [0, 1]
simulate: {seconds: 0.02, steps: 3}
"""

PANDAS = """\
import glob, json, sqlite3, sys
import pandas
results, tables = sys.argv[1:]
database = sqlite3.connect(f"file:{results}/results.sqlite?mode=ro&immutable=1", uri=True)
table = pandas.read_sql("SELECT * FROM results", database)
exported = pandas.read_csv(f"{tables}/results.csv", float_precision="round_trip")
pandas.testing.assert_series_equal(table["fid_mini"], exported["fid_mini"], check_exact=True)
pivot = table.pivot_table("fid_mini", ["task", "shots"], "method")
lengths = {path.rsplit("/", 1)[1]: len(pandas.read_csv(path)) for path in glob.glob(f"{tables}/*.csv")}
counts = {name + ".csv": database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name, in
          database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'")}
print(json.dumps({"shape": pivot.shape, "types": {str(k): str(v) for k, v in table.dtypes.items()},
                  "lengths": lengths, "counts": counts, "fid": sorted(exported["fid_mini"])}))
"""

TENSORBOARD = """\
import glob, json, os, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util.tensor_util import make_ndarray
found = {}
for path in glob.glob(f"{sys.argv[1]}/**/events.out.tfevents.*", recursive=True):
    reader = EventAccumulator(os.path.dirname(path), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    reader.Reload()
    tags = reader.Tags()
    found[path] = {
        "scalars": {tag: [(event.step, event.value) for event in reader.Scalars(tag)] for tag in tags["scalars"]},
        "images": {tag: [(event.width, event.height, len(event.encoded_image_string)) for event in reader.Images(tag)]
                   for tag in tags["images"]},
        "texts": {tag: make_ndarray(reader.Tensors(tag)[0].tensor_proto)[0].decode() for tag in tags["tensors"]},
        "times": sorted({event.wall_time for event in EventFileLoader(path).Load()}),
    }
print(json.dumps(found))
"""


class Readers(FaultTest):
    @classmethod
    def setUpClass(cls):
        cls.python = interpreter_with(PACKAGES)

    def setUp(self):
        super().setUp()
        self.sweep_file.write_text(SWEEP)
        self.assert_exit(0, self.sweep("--simulate"))
        # What a real trainer leaves beside the numbers.
        for number, (run, _) in enumerate(sorted(self.attempts())):
            folder = self.out / "runs" / run / "attempt-1"
            if number:  # the first has trained nothing
                losses = [4.5 / (step + number) for step in range(3)]
                (folder / "curves.json").write_text(json.dumps({"steps": [1, 2, 3], "loss": losses}))
            (folder / "samples.png").write_bytes(self.png(16, 8))

    @staticmethod
    def png(width, height):
        def chunk(kind, body):
            return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        rows = b"".join(b"\0" + b"\x10\x20\x30" * width for _ in range(height))
        return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))

    def ask(self, program, *words):
        done = subprocess.run([str(self.python), "-c", program, *map(str, words)], capture_output=True, text=True,
                              timeout=120)
        self.assert_exit(0, done)
        return json.loads(done.stdout)

    def test_pandas(self):
        self.assert_exit(0, self.export("csv", "tables"))
        told = self.ask(PANDAS, self.out, self.folder / "tables")
        self.assertEqual([2, 2], told["shape"])
        self.assertEqual("float64", told["types"]["fid_mini"])
        self.assertEqual("int64", told["types"]["seed"])
        self.assertEqual(7 * 3, told["lengths"].pop("curves.csv"))
        self.assertEqual(told["counts"], told["lengths"], "rows of tables and of CSV files")
        exact = [float(value) for (value,) in self.rows("SELECT fid_mini FROM results ORDER BY 1")]
        self.assertEqual(exact, told["fid"])
        with open(self.folder / "tables" / "curves.csv", newline="") as file:
            self.assertEqual({"run_id", "attempt", "step", "loss"}, set(next(iter(csv.DictReader(file)))))

    def export(self, what, to, *words):
        return subprocess.run([str(MARQUEE), "export", what, *words, "--out", str(self.out), "--to",
                               str(self.folder / to)], capture_output=True, text=True, timeout=120,
                              env=self.environment())

    def test_tensorboard(self):
        self.assert_exit(0, self.export("tensorboard", "logs", "task~shapes"))
        found = self.ask(TENSORBOARD, self.folder / "logs")
        self.assertEqual(4, len(found))
        ids = {run for (run,) in self.rows("SELECT run_id FROM results WHERE task = 'drawn/shapes_count'")}
        for path, run in found.items():
            run_id = next(key for key in ids if path.endswith(key[:12]))
            folder = self.out / "runs" / run_id / "attempt-1"
            curve = folder / "curves.json"
            if curve.exists():
                content = json.loads(curve.read_text())
                self.assertEqual(content["steps"], [step for step, _ in run["scalars"]["loss"]])
                for expected, (_, value) in zip(content["loss"], run["scalars"]["loss"]):
                    self.assertAlmostEqual(expected, value, 5)
            metrics = dict(self.rows(f"SELECT metric, value FROM metrics WHERE run_id = '{run_id}'"))
            self.assertEqual({"metrics/" + name for name in metrics}, set(run["scalars"]) - {"loss"})
            for name, value in metrics.items():
                self.assertAlmostEqual(value, run["scalars"]["metrics/" + name][0][1], 5)
            self.assertEqual([[16, 8, (folder / "samples.png").stat().st_size]], run["images"]["samples"])
            text = run["texts"]["configuration"]
            self.assertIn(run_id, text)
            self.assertIn("| task | drawn/shapes", text.replace("\\", ""))
            self.assertEqual(1, len(run["times"]))
        before = {path: pathlib.Path(path).read_bytes() for path in found}
        self.assert_exit(0, self.export("tensorboard", "logs", "task~shapes"))
        self.assertEqual(before, {str(path): path.read_bytes() for path in (self.folder / "logs").rglob("events*")})
        (self.out / "runs" / sorted(ids)[0] / "attempt-1" / "curves.json").write_text('{"steps": [1, 2], "loss": [1]}')
        damaged = self.export("tensorboard", "logs", "task~shapes")
        self.assert_exit(1, damaged)
        self.assertIn("curves.json: 2 steps but 1 losses", damaged.stderr)

    def test_datasette(self):
        metadata = self.out / "datasette.json"
        self.assertTrue(metadata.exists(), "a sweep leaves it")
        content = json.loads(metadata.read_text())["databases"]["results"]

        def get(path):
            done = subprocess.run([str(self.python), "-m", "datasette", str(self.out / "results.sqlite"), "--metadata",
                                   str(metadata), "--get", path], capture_output=True, text=True, timeout=120)
            self.assert_exit(0, done)
            return done.stdout
        rows = json.loads(get("/results/results.json?_shape=array&task=drawn/shapes_count"))
        self.assertEqual(4, len(rows))
        self.assertIn("not FID", get("/results/results"))  # a column's description
        for name in ("leaderboard", "costs"):
            self.assertEqual(len(self.rows(f"SELECT 1 FROM {name}")),
                             len(json.loads(get(f"/results/{name}.json?_shape=array"))))
        self.assertGreaterEqual(len(content["queries"]), 20)
        for name in ("question_best", "question_costs"):
            self.assertTrue(json.loads(get(f"/results/{name}.json?_shape=array")), name)
        page = get("/results")
        for query in content["queries"].values():
            self.assertIn(query["title"].split("?")[0].split("'")[0].split("&")[0], page)

    def test_cards(self):
        self.assert_exit(0, self.export("cards", "cards"))
        cards = sorted((self.folder / "cards").glob("*/README.md"))
        self.assertEqual(4, len(cards))  # of prompt; none trains nothing
        for card in cards:
            text = card.read_text()
            self.assertIn("![generated images](samples.png)", text)
            self.assertTrue((card.parent / "samples.png").exists())
            self.assertNotIn(str(self.folder), text)
            self.assertNotIn("| host |", text)


if __name__ == "__main__":
    unittest.main()
