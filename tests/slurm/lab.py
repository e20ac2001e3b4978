"""A Slurm cluster on this machine for one test class: MARQUEE_SHARED/slurm-lab/start-ns.sh makes nodes with their own
host name, network and process space. Skipped by name without root, the lab or Slurm; always stopped."""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault"))

from harness import MARQUEE, SHARED, FaultTest  # noqa: E402

LAB = SHARED / "slurm-lab"
LEASE = "10:14"  # MARQUEE_LEASE: a lease of another host is stale, and given up, after so many seconds
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged", "mungekey", "ip", "unshare")


def why_not():
    """Why the lab cannot run here, or None."""
    if os.geteuid() != 0:
        return "the Slurm lab needs root"
    if not (LAB / "start-ns.sh").exists():
        return f"no Slurm lab at {LAB}"
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    probe = subprocess.run(["unshare", "--net", "--uts", "--ipc", "--mount", "--pid", "--fork", "sh", "-c",
                            "ip link add probe type bridge"], capture_output=True, text=True)
    return f"no namespaces here: {probe.stderr.strip()}" if probe.returncode != 0 else None


class SlurmTest(FaultTest):
    NODES = 3

    @classmethod
    def setUpClass(cls):
        reason = why_not()
        if reason:
            raise unittest.SkipTest(reason)
        # The lab's bridge and addresses are there once.
        cls.turn = open(pathlib.Path(tempfile.gettempdir()) / "marquee-slurm-lab.turn", "w")
        cls.addClassCleanup(cls.turn.close)
        fcntl.flock(cls.turn, fcntl.LOCK_EX)
        # Not inside a folder of mode 0700: munged would refuse it.
        cls.lab = pathlib.Path(tempfile.gettempdir()) / f"marquee-slurm-{os.getpid()}"
        cls.addClassCleanup(shutil.rmtree, cls.lab, ignore_errors=True)
        cls.addClassCleanup(cls.stop_lab)
        log = pathlib.Path(tempfile.gettempdir()) / f"marquee-slurm-{os.getpid()}.log"
        cls.addClassCleanup(log.unlink, missing_ok=True)
        with open(log, "w") as output:  # not a pipe: the daemons keep it open
            started = subprocess.run([str(LAB / "start-ns.sh"), str(cls.lab), str(cls.NODES)], stdout=output,
                                     stderr=output, stdin=subprocess.DEVNULL, timeout=120, env=cls.lab_environment())
        if started.returncode != 0:
            raise RuntimeError(f"the Slurm lab did not start:\n{log.read_text()}")

    @classmethod
    def lab_environment(cls):
        return {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "SLURM_CONF": str(cls.lab / "slurm.conf")}

    @classmethod
    def stop_lab(cls):
        subprocess.run([str(LAB / "stop-ns.sh"), str(cls.lab)], capture_output=True, timeout=60,
                       env=cls.lab_environment())

    def slurm(self, *words):
        done = subprocess.run([*map(str, words)], env={**self.environment(), **self.lab_environment()},
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(0, done.returncode, f"{words}: {done.stderr}")
        return done.stdout

    def submit(self, node, name, command, **variables):
        """A batch job on one node; returns its number. Its output goes to <folder>/<name>.log."""
        script = self.folder / f"{name}.sh"
        exports = "".join(f"export {key}='{value}'\n" for key, value in variables.items())
        script.write_text("#!/bin/bash\n" + exports + "exec " + " ".join(f"'{word}'" for word in command) + "\n")
        return int(self.slurm("sbatch", "--parsable", "--no-requeue", f"--nodelist={node}", "--ntasks=3",
                              f"--job-name={name}", f"--output={self.folder / name}.log", script))

    def job(self, number):
        """Fields of `scontrol show job`."""
        return dict(word.split("=", 1) for word in self.slurm("scontrol", "show", "job", number).split() if "=" in word)

    def wait_for_end(self, number, name, timeout=90):
        """Exit code of a job."""
        def ended():
            job = self.job(number)
            return job if job["JobState"] not in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING") else None
        job = self.wait_for(ended, f"the end of job {name}; it says\n{self.output(name)}", timeout)
        return int(job["ExitCode"].split(":")[0])

    def output(self, name):
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # -- marquee slurm ------------------------------------------------------------------------------

    def marquee_slurm(self, part, *words, out=None, code=0, **variables):
        """`marquee slurm PART ... --json` on the host of the controller; what it printed."""
        done = subprocess.run([str(MARQUEE), "slurm", part, *map(str, words), "--out", str(out or self.out), "--json"],
                              env={**self.environment(**variables), **self.lab_environment()}, capture_output=True,
                              text=True, timeout=120)
        self.assert_exit(code, done)
        return json.loads(done.stdout) if done.stdout else done.stderr

    def submit_sweep(self, *options, out=None, sweep_file=None, simulate=True, **variables):
        """`marquee slurm submit`; what it says as JSON."""
        words = [sweep_file or self.sweep_file, *options]
        if simulate:
            words += ["--simulate"]
        return self.marquee_slurm("submit", *words, out=out, **{"MARQUEE_LEASE": LEASE, **variables})

    def standing(self, out=None):
        """The only job of a folder, as `marquee slurm status` sees it."""
        jobs = self.marquee_slurm("status", out=out)
        self.assertEqual(1, len(jobs), jobs)
        return jobs[0]

    def log(self, out=None):
        return "\n".join(path.read_text(errors="replace") for path in sorted((out or self.out).glob("slurm/*/log-*")))

    def wait_for_job(self, out=None, timeout=120):
        """How the job of a folder has ended."""
        def ended():
            standing = self.standing(out)
            return standing if not standing["active_ids"] else None
        give_up = time.monotonic() + timeout
        while not (standing := ended()):
            self.assertLess(time.monotonic(), give_up,
                            f"waited {timeout} s for the end of {self.standing(out)}; it says\n{self.log(out)}\n"
                            + self.slurm("squeue"))
            time.sleep(0.5)
        return standing

    def assert_done(self, expected, out=None):
        """Every run is done, once, with the rows of an undisturbed sweep."""
        out = out or self.out
        self.assertEqual({"done": len(expected[2])}, self.statuses(out), self.log(out))
        self.assertEqual(expected, self.sound_rows(out))

    # -- faults ----------------------------------------------------------------------------------------

    def partition(self, node):
        self.slurm("ip", "link", "set", node.replace("node", "sl"), "down")

    def heal(self, node):
        self.slurm("ip", "link", "set", node.replace("node", "sl"), "up")

    def reboot(self, node):
        """Starts a node again that was crashed."""
        with open(os.devnull, "r+b") as null:  # its processes keep what they inherit
            subprocess.run([str(LAB / "node-ns.sh"), str(self.lab), node.replace("node", ""), "10.77.0"], stdin=null,
                           stdout=null, stderr=null, timeout=60, check=True, env=self.lab_environment())

    def kill_controller(self):
        os.kill(int((self.lab / "slurmctld.pid").read_text()), 9)

    def start_controller(self):
        """With what it had saved."""
        with open(os.devnull, "r+b") as null:
            subprocess.run(["/usr/sbin/slurmctld"], stdin=null, stdout=null, stderr=null, timeout=60, check=True,
                           env=self.lab_environment())
        self.wait_for(lambda: subprocess.run(["scontrol", "ping"], capture_output=True, timeout=60,
                                             env=self.lab_environment()).returncode == 0, "the controller", 30)

    def call_nodes_down_sooner(self):
        """After 5 instead of 15 seconds without an answer."""
        path = self.lab / "slurm.conf"
        path.write_text(path.read_text().replace("SlurmdTimeout=15", "SlurmdTimeout=5"))
        self.slurm("scontrol", "reconfigure")

    def crash(self, node):
        """Kills everything on a node at once."""
        pid = int((self.lab / f"init-{node}.pid").read_text())
        os.kill(pid, 9)
        give_up = time.monotonic() + 10
        while pathlib.Path(f"/proc/{pid}/stat").exists() and time.monotonic() < give_up:
            time.sleep(0.05)
