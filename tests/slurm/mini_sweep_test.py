"""The mini base through the lab on four nodes, as a researcher would have it: submit, a node crashes, the job is
preempted, it queues itself again and ends; the rows and hashes are those of an undisturbed sweep on one machine. Then
one ablation again with another value, as a job: its difference to the first; and a run again on another node: the
same hashes."""

import os
import subprocess
import unittest

from lab import LEASE, SlurmTest
from harness import MARQUEE, require_real_trainer  # of the fault tests

SWEEP = """\
name: small_mini
base: mini
oracles: false
defaults: {steps: 30, samples: 16, decode_steps: 2, decode_batch: 16, batch: 4, micro_batches: 2, checkpoint_interval: 5,
           learning_rate: 0.01, prompt_length: 8}
matrix:
  task: [drawn/dsprites_location]
  shots: [2]
  method: [prompt, finetune]
  seed: [0, 1]
"""
REPEATS = 3 if os.environ.get("MARQUEE_SOAK") else 1


class MiniSweep(SlurmTest):
    NODES = 4

    def setUp(self):
        super().setUp()
        require_real_trainer(self)
        self.sweep_file.write_text(SWEEP)

    def environment(self, **extra):
        return super().environment(MARQUEE_TRAINER=self.trainer, MARQUEE_ASSETS=self.assets, **extra)

    def marquee_here(self, command, *words):
        done = subprocess.run([str(MARQUEE), command, "--out", str(self.out), *map(str, words)], capture_output=True,
                              text=True, timeout=120, env={**self.environment(MARQUEE_LEASE=LEASE),
                                                           **self.lab_environment()})
        self.assert_exit(0, done)
        return done.stdout

    def submit_real(self):
        return self.submit_sweep("--nodes", 3, "--slots-per-node", 1, "--lead", 20, simulate=False)

    def done(self):
        return {key for key, record in self.attempts().items() if record["status"] == "done"}

    def checkpoints(self):
        return list(self.out.glob("runs/*/attempt-*/checkpoint-*.h5"))

    def outcome(self, out):
        """Rows, and hashes of prompts and samples, which depend on nothing but the configuration."""
        return (self.metric_rows(out), self.rows("SELECT run_id, prompt_sha256, tokens_sha256 FROM attempts WHERE "
                                                 "status = 'done' ORDER BY 1, 2", out))

    def test_crash_preemption_and_the_next_question(self):
        alone = self.folder / "alone"
        self.assert_exit(0, self.sweep(out=alone, workers=1, assets=self.assets, timeout=300))
        expected = self.outcome(alone)
        self.repeat("a trainer's or host's death costs its own attempt only", "sweeps of real trainers that lost a node",
                    range(REPEATS), MiniSweep.one_week, expected)

    def one_week(self, _, expected):
        self.assertTrue(self.submit_real()["submitted"])
        self.wait_for(self.checkpoints, "the first checkpoints", 120)
        nodes = {record["host"] for record in self.attempts().values()}
        self.assertGreater(len(nodes), 1, "all runs on one node")
        job = int(self.standing()["job_id"])
        batch_host = self.job(job)["BatchHost"]
        crashed = sorted(nodes - {batch_host})[0]
        self.crash(crashed)
        self.wait_for(lambda: int(self.job(job)["Restarts"]) > 0, "Slurm to queue the job again", 90)
        self.reboot(crashed)
        known = set(self.attempts())
        self.wait_for(lambda: set(self.attempts()) - known, "the job to go on", 90)
        finished = self.done()
        self.slurm("scontrol", "requeue", job)
        standing = self.wait_for_job(timeout=240)
        self.assertEqual(("ended", 0), (standing["state"], standing["exit_code"]), self.log())
        self.assertEqual(2, int(self.job(job)["Restarts"]))
        self.assertLessEqual(finished, self.done())
        self.assertEqual(expected, self.outcome(self.out))
        resumed = [record["result"]["provenance"]["resumed_from_step"] for record in self.attempts().values()
                   if record["status"] == "done"]
        self.assertTrue(any("checkpoint-" in (name or "") for name in resumed), resumed)

        # One ablation again, with another value.
        chosen = ("--where", "method = 'prompt'")
        words = (*chosen, "--set", "prompt_length=4", "--slurm", "--array", 2, "--lead", 20)
        self.assertIn("submitted as job", self.marquee_here("rerun", *words))
        derived = [one for one in self.marquee_slurm("status") if one["name"].startswith("marquee-set-")]
        self.assertEqual(1, len(derived))
        self.wait_for_jobs()
        self.assertEqual([("prompt", 4, 2), ("prompt", 8, 2)], self.rows(
            "SELECT method, prompt_length, count(*) FROM results WHERE method = 'prompt' AND status = 'done' "
            "GROUP BY 1, 2 ORDER BY 2"), self.log())
        told = self.marquee_here("rerun", "--where", "method = 'prompt' AND prompt_length = 8", *words[2:4])
        self.assertIn("prompt_length=4", told)
        self.assertRegex(told, r"fid_mini +[-+0-9.]+")

        # The record again, on a node that has not made it.
        run, host = self.rows("SELECT run_id, host FROM attempts WHERE status = 'done' AND run_id IN (SELECT run_id "
                              "FROM runs WHERE prompt_length = 8) LIMIT 1")[0]
        other = next(f"node{i}" for i in (1, 2, 3, 4) if f"node{i}" != host)
        self.marquee_here("rerun", run, "--slurm", "--nodelist", other)
        self.wait_for_jobs()
        again = self.rows(f"SELECT host, prompt_sha256, tokens_sha256, fingerprint FROM attempts WHERE run_id = '{run}' "
                          "AND status = 'done' ORDER BY attempt")
        self.assertEqual([host, other], [row[0] for row in again])
        self.assertEqual(again[0][1:], again[1][1:])
        self.assertEqual([], self.rows("SELECT * FROM events WHERE kind = 'rerun_mismatch'"))

    def wait_for_jobs(self):
        """All jobs of the folder have ended well."""
        def ended():
            jobs = self.marquee_slurm("status")
            return jobs if all(not one["active_ids"] for one in jobs) else None
        for job in self.wait_for(ended, "the jobs to end", 180):
            self.assertEqual(("ended", 0), (job["state"], job["exit_code"]), self.log())


if __name__ == "__main__":
    unittest.main()
