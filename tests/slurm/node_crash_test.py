"""A node dies under an element of an array: its own attempt is lost and nothing else; the others go on, one of them
takes the dead one's claim over, and the element that Slurm queues again finds its work done."""

import os
import unittest

from lab import SlurmTest

SWEEP = """\
name: small
oracles: false
defaults: {{samples: 8}}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt, none]
  seed: [0, 1, 2]
simulate: {{seconds: {seconds}, steps: 10, checkpoints: 1, deadline_seconds: 60}}
"""
PROMISE = "a trainer's or host's death costs its own attempt only"
CRASHES = 20 if os.environ.get("MARQUEE_SOAK") else 1


class NodeCrash(SlurmTest):
    NODES = 3

    def setUp(self):
        super().setUp()
        self.call_nodes_down_sooner()

    def running(self):
        return {key: record["host"] for key, record in self.attempts().items() if record["status"] == "running"}

    def test_costs_the_attempt_that_was_there(self):
        self.sweep_file.write_text(SWEEP.format(seconds=0))
        self.assert_exit(0, self.sweep("--simulate", out=self.folder / "undisturbed"))
        expected = self.sound_rows(self.folder / "undisturbed")
        self.sweep_file.write_text(SWEEP.format(seconds=6))
        self.repeat(PROMISE, "crashed nodes", range(CRASHES), NodeCrash.crash_one, expected)

    def crash_one(self, number, expected):
        self.out = self.folder / f"crash-{number}"
        # Each element takes a node.
        self.submit_sweep("--array", 3, "--cpus-per-slot", 4, "--lead", 20)
        before = self.wait_for(lambda: len(now := self.running()) == 3 and now, "a run on each node", 60)
        node = sorted(before.values())[number % 3]
        self.crash(node)
        lost = [key for key, host in before.items() if host == node]
        self.wait_for(lambda: self.statuses_done() == len(expected[2]), "the others to compute everything", 90)
        self.reboot(node)
        standing = self.wait_for_job(timeout=120)
        self.assertEqual(("ended", 0), (standing["state"], standing["exit_code"]), self.log())
        self.assert_done(expected)
        self.assertEqual(lost, list(self.running()), "other attempts than that of the dead node were lost")
        self.assertEqual(len(expected[2]) + 1, len(self.attempts()))
        self.wait_for(lambda: self.slurm("sinfo", "-h", "-N", "-t", "idle", "-o", "%N").count("node") == 3,
                      "all nodes to be idle", 60)

    def statuses_done(self):
        return sum(record["status"] == "done" for record in self.attempts().values())


if __name__ == "__main__":
    unittest.main()
