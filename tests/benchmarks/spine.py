"""How fast and how small the orchestration is, as ratios to what this machine gives in the same minutes.

    python3 tests/benchmarks/spine.py [--bin build/release/bin] [--folder results/spine-benchmark] [--hyperqueue]

No-op trainers (`sweep --simulate`), 32 slots unless --slots says otherwise; standard library only. --hyperqueue installs HyperQueue's
package into a throw-away environment and times its local cluster beside ours, with a process for each task on both
sides. --sync-ms 4 slows every sync down (the tests' shim), for machines whose disk is so fast that its rate is no
measure; the machine's own rates are taken the same way. A result counts when its ledger transaction is committed: time runs from the first assignment to the end of the
sweep, its last publication included.
"""

import argparse
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import venv

SWEEP = """\
name: spine
oracles: false
defaults: {{samples: 8}}
matrix:
  task: [drawn/dsprites_location, drawn/shapes_count]
  shots: [5]
  method: [none]
  seed: [{seeds}]
simulate: {{seconds: {seconds}, steps: 1, files: {files}, process_per_run: {processes}}}
"""
HYPERQUEUE = """\
import os, sys, time
from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig
os.chdir(sys.argv[1])
tasks = int(sys.argv[2])
with LocalCluster(worker_config=WorkerConfig(cores=int(sys.argv[3]))) as cluster:
    client = cluster.client()
    def run(count):
        job = Job(max_fails=0)
        for _ in range(count):
            job.program(["/bin/true"], stdout=None, stderr=None)
        start = time.monotonic()
        client.wait_for_jobs([client.submit(job)])
        return count / (time.monotonic() - start)
    run(50)
    print(run(tasks))
"""


def per_second(work, seconds=2.0):
    count, start = 0, time.monotonic()
    while time.monotonic() - start < seconds:
        work()
        count += 1
    return count / (time.monotonic() - start)


def disk_rates(folder):
    """(fdatasync of 4 KiB more, write + fsync + rename + fsync of the folder) a second."""
    block = b"x" * 4096
    log = os.open(folder / "log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)

    def append():
        os.write(log, block)
        os.fdatasync(log)

    def replace():
        file = os.open(folder / "aside", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.write(file, block)
        os.fsync(file)
        os.close(file)
        os.rename(folder / "aside", folder / "file")
        directory = os.open(folder, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    rates = per_second(append), per_second(replace)
    os.close(log)
    return rates


class Bench:
    def __init__(self, options):
        self.marquee = pathlib.Path(options.bin).resolve() / "marquee"
        self.folder = pathlib.Path(options.folder).resolve()
        self.slots = options.slots
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def start(self, name, runs, workers, files=False, processes=False, seconds=0):
        sweep, out = self.folder / f"{name}.yaml", self.folder / name
        shutil.rmtree(out, ignore_errors=True)
        sweep.write_text(SWEEP.format(seeds=", ".join(map(str, range((runs + 1) // 2))), seconds=seconds,
                                      files=str(files).lower(), processes=str(processes).lower()))
        environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        return out, subprocess.Popen(
            ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(workers + 1), str(self.marquee), "sweep", str(sweep),
             "--out", str(out), "--simulate", "--slots-per-host", str(workers), "--json"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def results_per_second(self, name, runs, **how):
        out, process = self.start(name, runs, self.slots, **how)
        begin = None
        for line in process.stderr:
            if begin is None and line.startswith("sweep "):
                begin = time.monotonic()
        if process.wait() != 0:
            sys.exit(f"the sweep {name} ended with {process.returncode}")
        seconds = time.monotonic() - begin
        (done,) = self.ask(out, "SELECT count(*) FROM runs WHERE status = 'done'")
        if done < runs:
            sys.exit(f"the sweep {name} finished {done} of {runs} runs")
        return runs / seconds

    def ask(self, out, sql):
        database = sqlite3.connect(f"file:{out / 'results.sqlite'}?mode=ro&immutable=1", uri=True)
        try:
            return database.execute(sql).fetchone()
        finally:
            database.close()

    def ranks(self, out):
        """Processes of a sweep by MPI rank."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and str(out).encode() in (entry / "cmdline").read_bytes():
                    for variable in (entry / "environ").read_bytes().split(b"\0"):
                        if variable.startswith(b"OMPI_COMM_WORLD_RANK="):
                            found[int(variable.split(b"=")[1])] = entry
            except OSError:
                continue
        return found

    def large_sweep(self, runs):
        """(seconds from the command to its first run, peak memory of the coordinator in MB)."""
        launched = time.time()
        out, process = self.start("large", runs, 2, seconds=0.5)
        while not (out / "results.sqlite").exists() and process.poll() is None:
            time.sleep(0.02)
        time.sleep(3)
        (first,) = self.ask(out, "SELECT min((julianday(started) - 2440587.5) * 86400.0) FROM attempts")
        status = (self.ranks(out)[0] / "status").read_text()
        peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1000
        process.send_signal(signal.SIGKILL)
        process.wait()
        return first - launched, peak

    def idle_share(self, seconds=10):
        """Share of a core that an agent without work uses, and the coordinator beside it."""
        out, process = self.start("idle", 2, 4, seconds=seconds + 10)
        time.sleep(4)
        ranks = self.ranks(out)

        def ticks(entry):
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])

        before = {rank: ticks(entry) for rank, entry in ranks.items()}
        time.sleep(seconds)
        clock = os.sysconf("SC_CLK_TCK")
        used = {rank: (ticks(entry) - before[rank]) / clock / seconds for rank, entry in ranks.items()}
        process.send_signal(signal.SIGKILL)
        process.wait()
        return max(used[rank] for rank in used if rank > 2), used[0]


def hyperqueue_rate(folder, tasks):
    with tempfile.TemporaryDirectory() as environment:
        venv.create(environment, with_pip=True)
        python = pathlib.Path(environment) / "bin" / "python"
        done = subprocess.run([python, "-m", "pip", "install", "-q", "hyperqueue"], capture_output=True, text=True)
        if done.returncode != 0:
            print(f"HyperQueue skipped: its package cannot be installed ({done.stderr.strip().splitlines()[-1]})")
            return None
        work = folder / "hyperqueue"
        work.mkdir()
        done = subprocess.run([python, "-c", HYPERQUEUE, work, str(tasks), str(os.cpu_count())], capture_output=True,
                              text=True, check=True)
        return float(done.stdout.strip().splitlines()[-1])


def slow_down(options):
    """This program again, with every sync below its folder slowed down."""
    shim = pathlib.Path(options.bin).resolve() / "libstorage_shim.so"
    environment = {**os.environ, "LD_PRELOAD": str(shim), "MARQUEE_SHIM_SYNC_MS": str(options.sync_ms),
                   "MARQUEE_SHIM_ROOT": str(pathlib.Path(options.folder).resolve())}
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--folder", default="results/spine-benchmark", help="on the disk that is to be measured")
    parser.add_argument("--slots", type=int, default=32)
    parser.add_argument("--sync-ms", type=float, default=0, help="milliseconds that every sync takes longer")
    parser.add_argument("--hyperqueue", action="store_true")
    parser.add_argument("--only", default="", help="comma-separated: durable, files, processes, large, idle")
    options = parser.parse_args()
    if options.sync_ms > 0 and "MARQUEE_SHIM_SYNC_MS" not in os.environ:
        slow_down(options)
    chosen = options.only.split(",") if options.only else ["durable", "files", "processes", "large", "idle"]
    bench = Bench(options)

    def row(what, value, target):
        print(f"{what:<64} {value:<34} {target}", flush=True)

    if "durable" in chosen:
        before = disk_rates(bench.folder)[0]
        rate = bench.results_per_second("durable", 20_000)
        sync = (before + disk_rates(bench.folder)[0]) / 2
        row("durable results/s without files / fdatasync/s", f"{rate:.0f} / {sync:.0f} = {rate / sync:.1f}", "at least 10")
    if "files" in chosen:
        before = disk_rates(bench.folder)[1]
        rate = bench.results_per_second("files", 1_000, files=True)
        replace = (before + disk_rates(bench.folder)[1]) / 2
        row("durable results/s with files / (write+fsync+rename)/s", f"{rate:.0f} / {replace:.0f} = {rate / replace:.2f}",
            "at least 0.25")
    if "processes" in chosen:
        rate = bench.results_per_second("processes", 5_000, processes=True)
        row("durable results/s, a process each", f"{rate:.0f}", "")
        if options.hyperqueue:
            other = hyperqueue_rate(bench.folder, 5_000)
            if other:
                row("the same / HyperQueue's tasks/s, a process each", f"{rate:.0f} / {other:.0f} = {rate / other:.2f}",
                    "above 1")
    if "large" in chosen:
        seconds, megabytes = bench.large_sweep(100_000)
        row("100,000 runs: seconds from the command to the first run", f"{seconds:.2f}", "under 2")
        row("100,000 runs: peak memory of the coordinator, MB", f"{megabytes:.0f}", "under 200")
    if "idle" in chosen:
        agent, coordinator = bench.idle_share()
        row("share of a core: idle agent; coordinator", f"{agent:.2%}; {coordinator:.2%}", "under 2 %")
    shutil.rmtree(bench.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
