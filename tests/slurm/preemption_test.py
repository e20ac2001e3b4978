"""Jobs that `marquee slurm submit` has made lose their nodes: their time is over, they are preempted (requeued), or
their lead is too short for a checkpoint. Under mpirun, srun and as an array each goes on by itself and ends with the
rows of an undisturbed sweep, and nothing finished is computed again."""

import contextlib
import os
import signal
import unittest

from lab import SlurmTest

SWEEP = """\
name: {name}
oracles: false
defaults: {{samples: 8}}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt, none]
  seed: [{seeds}]
simulate: {{seconds: {seconds}, steps: 20, checkpoints: 1, deadline_seconds: 60}}
"""
REPEATS = 8 if os.environ.get("MARQUEE_SOAK") else 1


class Preemption(SlurmTest):
    NODES = 4

    def write(self, name, seconds, seeds=4):
        path = self.folder / f"{name}.yaml"
        path.write_text(SWEEP.format(name=name, seconds=seconds, seeds=", ".join(map(str, range(seeds)))))
        return path

    def expected(self, seeds=4):
        """Rows of the same runs, which carry no time and no name."""
        out = self.folder / "undisturbed"
        if not out.exists():
            self.assert_exit(0, self.sweep("--simulate", out=out, sweep_file=self.write("undisturbed", 0, seeds)))
        return self.sound_rows(out)

    def restarts(self, out):
        """How often each job of the folder has started."""
        return max(int(path.name.rsplit("-", 1)[1]) for path in out.glob("slurm/*/started-*"))

    def finished(self, out):
        return {key for key, record in self.attempts(out).items() if record["status"] == "done"}

    def assert_went_on(self, out, before=frozenset()):
        standing = self.wait_for_job(out, 240)
        self.assertEqual(("ended", 0), (standing["state"], standing["exit_code"]), f"{standing}\n{self.log(out)}")
        self.assertGreater(self.restarts(out), 0, "it was never put back into the queue")
        self.assertLessEqual(before, self.finished(out))
        self.assert_done(self.reference, out)

    def freeze(self, job):
        """SIGSTOP to all of a job but its script: it writes no checkpoint, and ends on no request."""
        found = set(self.processes_of(f"SLURM_JOB_NAME={job}", "marquee")) - set(self.processes("slurm_script"))
        self.assertGreater(len(found), 1, f"{job} has no processes")
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def test_nodes_that_are_taken_away_cost_no_result(self):
        """All at once: most of the time is waiting. `short`: all processes stand still, so none writes a checkpoint
        in time; the job is put back all the same, and killed."""
        self.reference = self.expected()
        self.repeat("preemption and wall time are safe", "jobs that lost their nodes", range(REPEATS),
                    Preemption.take_away, each=7)

    def take_away(self, _):
        mpirun, srun, array = ["--slots-per-node", 2], ["--slots-per-node", 2, "--launcher", "srun"], ["--array", 2]
        places = {}
        for name, options in (("short-mpirun", [*mpirun, "--time", 1, "--lead", 40]),
                              ("short-array", [*array, "--time", 1, "--lead", 40]),
                              ("time-mpirun", [*mpirun, "--time", 1, "--lead", 40]),
                              ("time-array", [*array, "--time", 1, "--lead", 40]),
                              ("requeue-mpirun", [*mpirun, "--lead", 20]),
                              ("requeue-srun", [*srun, "--lead", 20]),
                              ("requeue-array", [*array, "--lead", 20])):
            places[name] = self.folder / name
            self.submit_sweep(*options, out=places[name], sweep_file=self.write(name, 5))
        before = {}

        def strike():
            """Each as soon as a run of it has finished."""
            for name, out in places.items():
                if name.startswith("time") or name in before or not (done := self.finished(out)):
                    continue
                before[name] = done
                if name.startswith("short"):
                    self.freeze(self.standing(out)["name"])
                else:
                    self.slurm("scontrol", "requeue", self.standing(out)["job_id"])
            return len(before) == 5

        self.wait_for(strike, "a finished run in each", 180)
        for name, out in places.items():
            self.assert_went_on(out, before.get(name, frozenset()))
            if name.startswith("requeue"):  # Slurm signals the trainers, too: their agents decide
                stopped = [record["cause"] for record in self.attempts(out).values()
                           if record["status"] == "interrupted"]
                self.assertTrue(stopped, f"{name}: nothing was interrupted\n{self.log(out)}")
                self.assertEqual({0}, {cause.get("signal", 0) for cause in stopped}, f"{name}: {stopped}")
            if not name.startswith("short"):
                codes = {path.read_text().strip() for path in out.glob("slurm/*/ended-*-0")}
                self.assertTrue(codes <= {"0", "124", "143"} and codes != {"0"},
                                f"{name}: not stopped gracefully: {codes}\n{self.log(out)}")


if __name__ == "__main__":
    unittest.main()
