"""Power cuts: a simulated sweep is recorded call by call (shim/storage_shim.c), the folder is rebuilt as it might
be found after a cut at any of them (power_cut.py), and nothing that was acknowledged may be missing there. Some of
these states are worked on to the end: the same rows. Whether the test would see a loss is tested, too: with a sync
swallowed it must find one. --soak looks at every cut instead of 200."""

import json
import pathlib
import shutil
import sqlite3
import unittest

import power_cut
from harness import BIN, SOAK, FaultTest, tell_soak

SHIM = BIN / "libstorage_shim.so"

SWEEP = """\
name: simulated
oracles: false
defaults: {samples: 8}
matrix:
  task: [drawn/dsprites_location, drawn/shapes_count]
  shots: [5]
  method: [prompt, none]
  seed: [0, 1]
simulate:
  steps: 2
  faults:
    - {fault: crash, match: {task: drawn/shapes_count, method: none, seed: 0}, attempts: [1]}
subsets:
  half: {task: drawn/shapes_count}
"""

CUTS = 1 << 30 if SOAK else 200
FINISHED_CUTS = 60 if SOAK else 8


def done_runs(folder, database):
    """{(run, attempt): (hash of the result, metric rows)} of a database that SQLite may repair first; integrity
    is checked. A file without tables has none."""
    connection = sqlite3.connect(folder / database)
    try:
        problems = connection.execute("PRAGMA integrity_check").fetchall()
        if problems != [("ok",)]:
            raise sqlite3.DatabaseError(f"{database}: integrity_check says {problems}")
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'attempts'").fetchone():
            return {}
        metrics = {}
        for row in connection.execute("SELECT run_id, metric, value FROM metrics ORDER BY run_id, metric"):
            metrics.setdefault(row[0], []).append(row[1:])
        return {(run, attempt): (result, tuple(metrics.get(run, ()))) for run, attempt, result in connection.execute(
            "SELECT run_id, attempt, result_sha256 FROM attempts WHERE status = 'done'")}
    finally:
        connection.close()


class PowerCut(FaultTest):
    def setUp(self):
        super().setUp()
        if not SHIM.exists():
            self.skipTest(f"{SHIM} is not built")
        self.sweep_file.write_text(SWEEP)
        self.scratch = self.folder / "scratch"

    # -- recording ---------------------------------------------------------------------------------------

    def record(self, name, **shim):
        """A sweep of half the runs, then the whole one: the second opens what the first has left."""
        out, log = self.folder / name, self.folder / f"{name}.log"
        environment = self.environment(LD_PRELOAD=SHIM, MARQUEE_SHIM_ROOT=out, MARQUEE_SHIM_LOG=log, **shim)
        self.assert_exit(0, self.sweep("--simulate", "--subset", "half", out=out, environment=environment))
        self.assert_exit(0, self.sweep("--simulate", out=out, environment=environment))
        records = power_cut.read_log(log)
        disk = power_cut.Disk(out)
        for record in records:
            disk.apply(record)
        self.assert_same_as_on_disk(disk, out)
        return out, records

    def assert_same_as_on_disk(self, disk, out):
        """What the records say is what is there: the shim has missed nothing."""
        replayed = {path: content for path, content in disk.after_cut("all").items() if content is not None}
        real = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*")
                if path.is_file() and path.parent.name != "logs"}  # a spawned process's output, made by the kernel
        self.assertEqual(sorted(real), sorted(replayed))
        self.assertEqual([], [path for path in real if real[path] != replayed[path]])

    # -- looking for losses ------------------------------------------------------------------------------

    def acknowledged(self, disk):
        """What the ledger holds as the processes see it: read from a copy."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        for path, what in disk.names.items():
            name = pathlib.Path(path).name
            if name.startswith("ledger.sqlite"):
                (self.scratch / name).write_bytes(bytes(what.now))
        return done_runs(self.scratch, "ledger.sqlite")

    def losses(self, state, acknowledged):
        """What is wrong with the folder that a cut has left."""
        power_cut.write_out(state, self.scratch)
        found = []
        try:
            ledger = done_runs(self.scratch, "ledger.sqlite")
            for run, result in acknowledged.items():
                if ledger.get(run) != result:
                    found.append(f"acknowledged result {run} is {ledger.get(run)}")
            if "results.sqlite" in state:
                for run, result in done_runs(self.scratch, "results.sqlite").items():
                    if ledger.get(run) != result:
                        found.append(f"results.sqlite shows {run}, the ledger does not")
        except sqlite3.Error as error:
            return [f"database: {error}"]
        for run, attempt in ledger:
            for name in ("attempt.json", "result.json"):
                if f"runs/{run}/attempt-{attempt}/{name}" not in state:
                    found.append(f"{name} of finished run {run} is missing")
        finished = {f"runs/{run}/attempt-{attempt}" for run, attempt in ledger}
        for path, content in state.items():
            name = pathlib.Path(path).name
            if name == "attempt.json" and str(pathlib.Path(path).parent) not in finished:
                continue  # it may be the note of a start, which is not synced and ignored where it is not whole
            if name == "lock" or (name.endswith(".json") and not name.startswith(".")):
                try:
                    json.loads(content)
                except ValueError:
                    found.append(f"{path} is not whole: {content[:40]}")
        return found

    def all_losses(self, out, records, variants=power_cut.VARIANTS, first_only=False, cuts=CUTS):
        """(number of records applied, variant, what is wrong) of every chosen cut that lost something."""
        disk, acknowledged, lost = power_cut.Disk(out), {}, []
        chosen = set(power_cut.cut_points(len(records), cuts))
        most = 0
        for count in range(len(records) + 1):
            if count in chosen:
                for variant in variants:
                    wrong = self.losses(disk.after_cut(variant, seed=count), acknowledged)
                    if wrong:
                        lost.append((count, variant, wrong))
                if lost and first_only:
                    return lost
            if count == len(records):
                break
            record = records[count]
            disk.apply(record)
            if record.kind in "SP" and pathlib.Path(record.path).name.startswith("ledger.sqlite"):
                acknowledged = self.acknowledged(disk)
                self.assertGreaterEqual(len(acknowledged), most, "the ledger forgets while it runs")
                most = len(acknowledged)
        self.assertEqual(8, len(acknowledged), "not every run was acknowledged")
        return lost

    def test_nothing_acknowledged_is_lost_at_any_cut(self):
        undisturbed = self.folder / "undisturbed"
        self.assert_exit(0, self.sweep("--simulate", out=undisturbed))
        expected = self.sound_rows(undisturbed)
        out, records = self.record("recorded")
        self.assertGreater(len(records), 200)
        lost = self.all_losses(out, records)
        tell_soak("no acknowledged result lost or doubled", len(power_cut.cut_points(len(records), CUTS)), "power cuts",
                  len(lost))
        self.assertEqual([], lost)

        disk, done = power_cut.Disk(out), 0
        for number, count in enumerate(power_cut.cut_points(len(records), FINISHED_CUTS)):
            while done < count:
                disk.apply(records[done])
                done += 1
            variant = power_cut.VARIANTS[number % len(power_cut.VARIANTS)]
            with self.subTest(cut=count, variant=variant):
                again = self.folder / "again"
                power_cut.write_out(disk.after_cut(variant, seed=count), again)
                self.assert_exit(0, self.sweep("--simulate", out=again))
                self.assertEqual(expected, self.sound_rows(again))

    def test_a_loss_is_found_when_a_sync_is_left_out(self):
        for what, glob, variants in (
                ("of a file before it is renamed", "*/runs/*/.*.tmp-*", ("names", "sizes")),
                ("of the folder after a rename", "*/runs/*/attempt-?", ("synced",)),
                ("of the ledger's log", "*/ledger.sqlite-wal", ("synced", "names", "mixed"))):
            with self.subTest(what):
                out, records = self.record(f"without-{what.split()[2]}", MARQUEE_SHIM_NOSYNC=glob)
                self.assertTrue([r for r in records if r.kind in "PQ"], "the shim swallowed nothing")
                self.assertTrue(self.all_losses(out, records, variants, first_only=True), "no loss found")


if __name__ == "__main__":
    unittest.main()
