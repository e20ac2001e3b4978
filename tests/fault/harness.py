"""What the fault tests share: folders, small sweeps, `marquee` under a fake or the real trainer, and a look
at the processes that are left. Standard library only."""

import concurrent.futures
import copy
import hashlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(os.environ.get("MARQUEE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("MARQUEE_BIN", ROOT / "build" / "release" / "bin"))
SHARED = pathlib.Path(os.environ.get("MARQUEE_SHARED") or ROOT.parent / "shared")
MARQUEE = BIN / "marquee"
FAKE_TRAINER = pathlib.Path(__file__).resolve().parent / "fake_trainer.py"
MARK = "MARQUEE_FAULT_TEST_MARK"  # in the environment of every process that a test starts

SOAK = bool(os.environ.get("MARQUEE_SOAK"))  # the longer form of each test: scripts/test --soak, scripts/soak

USAGE, ENVIRONMENT, DEFECT, BUSY, SOME_FAILED, OUT_OF_TIME = 2, 3, 4, 75, 1, 124

FAKE_SWEEP = """\
name: small
base: mini
oracles: false
defaults:
  steps: 4
  samples: 8
  batch: 4
  micro_batches: 1
  learning_rate: 0.01
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt, none]
  seed: [0, 1]
"""


def real_trainer():
    """The real trainer program, or None where this build has none."""
    named = os.environ.get("MARQUEE_TRAINER")
    path = pathlib.Path(named) if named else BIN / "marquee-trainer"
    return path if os.access(path, os.X_OK) else None


def real_assets():
    """The folder with the shipped base model, or None."""
    for folder in (os.environ.get("MARQUEE_ASSETS"), ROOT / "assets"):
        if folder and (pathlib.Path(folder) / "mini" / "manifest.json").exists():
            return pathlib.Path(folder)
    return None


def require_real_trainer(test):
    """Gives the test `trainer` and `assets`, the real ones, or skips it."""
    test.trainer, test.assets = real_trainer(), real_assets()
    if test.trainer is None:
        test.skipTest("no marquee-trainer in this build")
    if test.assets is None:
        test.skipTest("no base model: assets/mini/manifest.json is missing")


def tell_soak(promise, count, what, failures):
    """One line of the form that scripts/soak makes its table of."""
    print(f"\nsoak: {promise}: {count} {what}, {failures} failures", file=sys.stderr, flush=True)


def failpoints():
    """Names of all places at which MARQUEE_FAILPOINT can end a process."""
    done = subprocess.run([str(MARQUEE), "--failpoints"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def make_fake_assets(folder, mark=""):
    """A base model that hashes right and that only the fake trainer accepts; another one with another mark."""
    base = folder / "mini"
    base.mkdir(parents=True)
    files = {}
    for name in ("tokenizer", "transformer", "features"):
        content = f"weights of the {name}{mark}".encode()
        (base / f"{name}.safetensors").write_bytes(content)
        files[name] = {"file": f"{name}.safetensors", "sha256": hashlib.sha256(content).hexdigest(),
                       "bytes": len(content), "numbers": 1, "config": {}}
    (base / "manifest.json").write_text(json.dumps({"name": "mini", "version": "mini-v0", "files": files}))
    return folder


def main(at_once=3):
    """unittest.main for a file whose tests mostly wait for mpirun, or for seconds to pass: `at_once` processes share
    them. Each test has a folder and processes of its own."""
    if any(not word.startswith("-") for word in sys.argv[1:]):
        unittest.main()
    names = []
    for tests in unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]):
        names += [test.id().removeprefix("__main__.") for test in tests]
    shares = [share for share in (names[i::at_once] for i in range(at_once)) if share]
    processes = [subprocess.Popen([sys.executable, *sys.argv, *share], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                 for share in shares]
    for process in processes:
        sys.stderr.write(process.communicate()[0].decode(errors="replace"))
    sys.exit(any(process.returncode for process in processes))


class FaultTest(unittest.TestCase):
    """A temporary folder, and after each test the proof that no process is left."""

    longMessage = True

    def setUp(self):
        if not os.access(MARQUEE, os.X_OK):
            self.skipTest(f"{MARQUEE} is not built")
        if shutil.which("mpirun") is None:
            self.skipTest("mpirun is not installed")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="marquee-fault-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.kill_what_is_left)
        self.sweep_file = self.folder / "small.yaml"
        self.sweep_file.write_text(FAKE_SWEEP)
        self.assets = make_fake_assets(self.folder / "assets")
        self.out = self.folder / "results"

    def repeat(self, promise, what, cases, body, *more, each=1, at_once=1):
        """Calls body(test, case, *more) for every case: `test` is this one with a folder, results and processes of its own, so
        that several can go on at once. Each case is a subtest with `each` of `what`; tells how many there were and how
        many cases failed. Most of a sweep of no-op trainers is waiting for mpirun."""
        def call(numbered):
            number, case = numbered
            test = copy.copy(self)
            test.folder = self.folder / f"case-{number}"
            test.folder.mkdir()
            test.out = test.folder / "results"
            try:
                body(test, case, *more)
            except BaseException as error:  # it is raised again below, where unittest wants it
                return error
            finally:
                test.kill_what_is_left()
            shutil.rmtree(test.folder, ignore_errors=True)
            return None

        cases = list(cases)
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            errors = list(pool.map(call, enumerate(cases)))
        for case, error in zip(cases, errors):
            with self.subTest(case=case):
                if error is not None:
                    raise error
        tell_soak(promise, each * len(cases), what, sum(error is not None for error in errors))

    # -- processes ---------------------------------------------------------------------------------------

    def environment(self, **extra):
        environment = {**os.environ, MARK: str(self.folder), "MARQUEE_TRAINER": str(FAKE_TRAINER),
                       "OMP_NUM_THREADS": "1"}
        environment.update({key: str(value) for key, value in extra.items()})
        return environment

    def command(self, *options, out=None, sweep_file=None, assets=None, workers=2, slots=2):
        return [str(MARQUEE), "sweep", str(sweep_file or self.sweep_file), "--out", str(out or self.out),
                "--assets", str(assets or self.assets), "--workers", str(workers),
                "--slots-per-host", str(slots), *map(str, options)]

    def sweep(self, *options, timeout=120, environment=None, **where):
        return subprocess.run(self.command(*options, **where), env=environment or self.environment(),
                              capture_output=True, text=True, timeout=timeout)

    def start_sweep(self, *options, environment=None, **where):
        log = open(self.folder / "background.log", "ab")
        self.addCleanup(log.close)
        process = subprocess.Popen(self.command(*options, **where), env=environment or self.environment(),
                                   stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def marquee(self, command, *words, out=None, timeout=60, environment=None):
        """`marquee COMMAND --out DIR WORDS`, to its end."""
        return subprocess.run([str(MARQUEE), command, "--out", str(out or self.out), *map(str, words)],
                              env=environment or self.environment(), capture_output=True, text=True, timeout=timeout)

    def background_log(self):
        return (self.folder / "background.log").read_text(errors="replace")

    def processes(self, *words):
        """Process ids of this test whose command line holds all `words`; zombies do not count."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                marked = f"{MARK}={self.folder}".encode() in (entry / "environ").read_bytes().split(b"\0")
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                zombie = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
            except OSError:
                continue
            if marked and not zombie and all(word in line for word in words):
                found.append(int(entry.name))
        return sorted(found)

    def processes_of(self, variable, *words):
        """Those of processes(words) that have "NAME=value" in their environment."""
        def has(pid):
            try:
                return variable.encode() in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                return False
        return [pid for pid in self.processes(*words) if has(pid)]

    def trainers(self):
        return self.processes("serve", "--control-fd")

    def mpirun(self):
        return [pid for pid in self.processes("mpirun", "--oversubscribe")]

    def coordinator(self):
        """Process id of rank 0, as the environment that mpirun gave it tells."""
        for pid in self.processes("sweep", "--out"):
            try:
                variables = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"OMPI_COMM_WORLD_RANK=0" in variables:
                return pid
        return None

    def agents_by_rank(self):
        """{rank: process id} of the ranks above 0."""
        found = {}
        for pid in self.processes("sweep", "--out"):
            try:
                variables = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            ranks = [int(v.split(b"=")[1]) for v in variables if v.startswith(b"OMPI_COMM_WORLD_RANK=")]
            if ranks and ranks[0] > 0:
                found[ranks[0]] = pid
        return found

    def agents(self):
        """Process ids of the ranks above 0."""
        return list(self.agents_by_rank().values())

    def wait_for(self, condition, what, timeout=60, interval=0.05):
        give_up = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            self.assertLess(time.monotonic(), give_up, f"waited {timeout} s for {what}\n"
                            + (self.background_log() if (self.folder / "background.log").exists() else ""))
            time.sleep(interval)

    def assert_no_process_left(self, timeout=40):
        self.wait_for(lambda: not self.processes(), f"the processes {self.processes()} to go", timeout)

    def kill_what_is_left(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass

    # -- results -----------------------------------------------------------------------------------------

    def rows(self, sql, out=None):
        database = sqlite3.connect(f"file:{(out or self.out) / 'results.sqlite'}?mode=ro&immutable=1", uri=True)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    def metric_rows(self, out=None):
        return self.rows("SELECT run_id, metric, value, standard_error, n_generated, n_reference, protocol, "
                         "network_hash FROM metrics ORDER BY run_id, metric", out)

    def sound_rows(self, out):
        """Everything of a results folder that must not depend on what was killed."""
        database = sqlite3.connect(f"file:{out / 'results.sqlite'}?mode=ro&immutable=1", uri=True)
        try:
            self.assertEqual([("ok",)], database.execute("PRAGMA integrity_check").fetchall())
            twice = database.execute("SELECT run_id FROM attempts WHERE status = 'done' GROUP BY run_id "
                                     "HAVING count(*) > 1").fetchall()
            self.assertEqual([], twice, "runs with two finished attempts")
            return (database.execute("SELECT * FROM metrics ORDER BY run_id, metric").fetchall(),
                    database.execute("SELECT run_id, result_sha256, prompt_sha256, tokens_sha256 FROM attempts "
                                     "WHERE status = 'done' ORDER BY run_id").fetchall(),
                    database.execute("SELECT run_id, status FROM runs ORDER BY run_id").fetchall())
        finally:
            database.close()

    def statuses(self, out=None):
        return dict(self.rows("SELECT status, count(*) FROM results GROUP BY status", out))

    def attempts(self, out=None):
        """attempt.json of every attempt, by (run id, attempt)."""
        found = {}
        for path in sorted((out or self.out).glob("runs/*/attempt-*/attempt.json")):
            record = json.loads(path.read_text())
            found[record["run_id"], record["attempt"]] = record
        return found

    # -- expectations ------------------------------------------------------------------------------------

    def assert_exit(self, code, done):
        self.assertEqual(code, done.returncode, f"stdout:\n{done.stdout}\nstderr:\n{done.stderr}")
