"""slurmctld dies right after it has accepted a job, and may forget it or give its number away: `marquee slurm status`
says what became of the job, the same `marquee slurm submit` has it in the queue once, and every run is computed once.
So it is when `marquee` itself dies around sbatch, when a job is held, and when it is there twice."""

import os
import random
import subprocess
import sys
import time
import unittest

from lab import SlurmTest
from harness import BUSY, MARQUEE  # of the fault tests

SWEEP = """\
name: small
oracles: false
defaults: {samples: 8}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt, none]
  seed: [0, 1]
simulate: {seconds: 0.2, steps: 2}
"""
KILLS = 100 if os.environ.get("MARQUEE_SOAK") else 1


class Controller(SlurmTest):
    NODES = 1

    def setUp(self):
        super().setUp()
        self.sweep_file.write_text(SWEEP)
        self.assert_exit(0, self.sweep("--simulate", out=self.folder / "undisturbed"))
        self.expected = self.sound_rows(self.folder / "undisturbed")

    def ids(self, name):
        return [int(word) for word in self.slurm("squeue", "--noheader", "--name", name, "--format=%A").split()]

    def foreign_job(self):
        """A job of somebody else that may get a number that was given before."""
        return int(self.slurm("sbatch", "--parsable", "--job-name=other", "--output=/dev/null", "--wrap=sleep 600"))

    def test_a_controller_that_dies_after_it_has_accepted(self):
        seed = int(os.environ.get("MARQUEE_SEED", random.randrange(1 << 30)))
        chance = random.Random(seed)
        print(f"seed {seed}: MARQUEE_SEED={seed} repeats it", file=sys.stderr)
        self.repeat("slurmctld death is reconciled", "kills within 5 s of a submission", range(KILLS),
                    Controller.kill_and_tell, chance)

    def kill_and_tell(self, number, chance):
        try:
            self.kill_one(number, chance)
        except AssertionError as error:
            error.add_note(f"{self.marquee_slurm('status')}\n{self.slurm('squeue')}\n{self.log()}\n"
                           f"{self.statuses() if (self.out / 'results.sqlite').exists() else 'no results'}")
            raise

    def kill_one(self, number, chance):
        self.clear_ghosts()
        out = self.out
        launcher = ["--array", 1] if chance.random() < 0.5 else []
        submitted = self.submit_sweep(*launcher, out=out)
        self.assertTrue(submitted["submitted"])
        time.sleep(chance.choice([0, chance.uniform(0, 5)]))
        self.kill_controller()
        if number == 0:
            refused = self.marquee_slurm("status", out=out, code=3)
            self.assertIn("squeue", refused)
        self.start_controller()
        other = self.foreign_job()
        standing = self.standing(out)
        self.assertIn(standing["state"], ("lost", "waiting", "running", "ended", "vanished"))
        again = self.submit_sweep(*launcher, out=out)
        self.assertEqual(standing["state"] in ("lost", "vanished", "ended"), again["submitted"], standing)
        self.assertLessEqual(len(self.ids(submitted["name"])), 1)
        self.assertEqual("other", self.job(other)["JobName"])
        self.assertIn(self.job(other)["JobState"], ("PENDING", "RUNNING"), "somebody else's job was touched")
        self.slurm("scancel", other)
        # A job whose launch the controller did not hear of is held by it, whatever became of the launch.
        if self.wait_for(lambda: (now := self.after_the_administrator(out)) in ("held", "ended") and now,
                         "the job to end or to be held", 90, 0.5) == "held":
            self.assertFalse(self.submit_sweep(*launcher, out=out)["submitted"])
            self.wait_for(lambda: self.after_the_administrator(out) == "ended", "the job to end", 90, 0.5)
        self.assertEqual(("ended", 0), tuple(self.wait_for_job(out, 90)[key] for key in ("state", "exit_code")))
        self.assert_done(self.expected, out)
        self.assertEqual({1}, {attempt for _, attempt in self.attempts(out)}, "computed more than once")

    def after_the_administrator(self, out):
        """The job's state, after what docs/cluster.md tells an administrator to do: Slurm drains a node for a number that it gave
        away twice, and takes a job for running of whose end it has not heard."""
        node = self.slurm("scontrol", "show", "node", "node1")
        if "DRAIN" in node and "Duplicate jobid" in node:
            self.slurm("scontrol", "update", "NodeName=node1", "State=RESUME")
        standing = self.standing(out)
        if standing["state"] == "running" and standing["exit_code"] is not None:
            time.sleep(5)
            again = self.standing(out)
            if again["state"] == "running" and again["exit_code"] is not None:
                self.assertIn(f"scancel {standing['job_id']}", again["text"])
                self.slurm("scancel", standing["job_id"])
        return standing["state"]

    def clear_ghosts(self):
        """A controller that was killed before it had written down a job's end takes the job for running for ever, on
        processors that the next ones need. What is cancelled is written down within five seconds."""
        ghosts = self.slurm("squeue", "--noheader", "--format=%A").split()
        for ghost in ghosts:
            self.slurm("scancel", ghost)
        if ghosts:
            self.wait_for(lambda: not self.slurm("squeue", "--noheader").split(), "the queue to be empty", 60)
            time.sleep(6)

    def killed_at(self, failpoint):
        done = subprocess.run([str(MARQUEE), "slurm", "submit", str(self.sweep_file), "--simulate", "--out",
                               str(self.out)], capture_output=True, text=True, timeout=60,
                              env={**self.environment(MARQUEE_FAILPOINT=failpoint), **self.lab_environment()})
        self.assertEqual(-9, done.returncode, done.stderr)

    def test_everything_else_that_can_go_wrong_with_a_submission(self):
        with self.subTest("killed before and after sbatch"):
            self.slurm("scontrol", "update", "NodeName=node1", "State=DRAIN", "Reason=test")  # nothing starts
            self.killed_at("submit.recorded")
            self.assertEqual(("lost", ""), tuple(self.standing()[key] for key in ("state", "job_id")))
            self.killed_at("submit.submitted")
            standing = self.standing()
            self.assertEqual("waiting", standing["state"])
            self.assertRegex(standing["job_id"], "^[0-9]+$", "the number was not found by the name")
            self.assertFalse(self.submit_sweep()["submitted"])
            self.assertEqual(1, len(self.ids(standing["name"])))
        name, first = standing["name"], int(standing["job_id"])
        with self.subTest("twice in the queue"):
            twin = int(self.slurm("sbatch", "--parsable", self.out / "slurm" / name / "job.sh"))
            self.assertEqual([str(first), str(twin)], self.standing()["active_ids"])
            self.assertFalse(self.submit_sweep()["submitted"])
            self.wait_for(lambda: self.ids(name) == [first], "the second to be cancelled", 30)
        with self.subTest("held"):
            self.slurm("scontrol", "hold", first)
            held = self.standing()
            self.assertEqual("held", held["state"])
            self.assertIn(f"scontrol release {first}", held["text"])
            self.assertFalse(self.submit_sweep()["submitted"])
            self.assertEqual("waiting", self.standing()["state"])
        with self.subTest("another sweep of the same folder"):
            other = self.folder / "other.yaml"
            other.write_text(SWEEP.replace("name: small", "name: other"))
            refused = self.marquee_slurm("submit", other, "--simulate", code=BUSY)
            self.assertIn(f"job {first} ", refused)
        with self.subTest("cancelled while it waits"):
            self.assertEqual([[str(first)]], [job["ended"] for job in self.marquee_slurm("cancel")])
            self.wait_for(lambda: not self.ids(name), "the job to go", 30)
            self.assertEqual("cancelled", self.standing()["state"])
        self.slurm("scontrol", "update", "NodeName=node1", "State=UNDRAIN")
        with self.subTest("cancelled while it runs"):
            self.sweep_file.write_text(SWEEP.replace("seconds: 0.2", "seconds: 30"))
            self.assertTrue(self.submit_sweep("--lead", 20)["submitted"])
            self.wait_for(lambda: list(self.out.glob("runs/*/attempt-*/attempt.json")), "a run to start", 60)
            self.marquee_slurm("cancel")
            self.assertEqual("cancelled", self.wait_for_job(timeout=60)["state"])
            self.assertEqual({"143"}, {path.read_text().strip() for path in self.out.glob("slurm/*/ended-*")})
            self.assertEqual({"interrupted"}, {record["status"] for record in self.attempts().values()})
        with self.subTest("and submitted again"):
            self.sweep_file.write_text(SWEEP)
            self.assertTrue(self.submit_sweep()["submitted"])
            self.assertEqual(0, self.wait_for_job(timeout=90)["exit_code"], self.log())
            self.assert_done(self.expected)


if __name__ == "__main__":
    unittest.main()
