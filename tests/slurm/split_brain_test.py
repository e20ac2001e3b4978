"""A node that is cut off from the others and stands still: Slurm starts its jobs again elsewhere, and they take the
results folder, or the claims, over. When the old processes wake up they find a later epoch: what they had begun is
neither sealed nor taken in, and they end. The link comes back, and everything is there once."""

import contextlib
import os
import signal
import time
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
  seed: [0, 1]
simulate:
  seconds: 1
  steps: 1
  deadline_seconds: 600
  durations: [{{match: {{method: none}}, seconds: 20}}]
"""
REPEATS = 20 if os.environ.get("MARQUEE_SOAK") else 1


class SplitBrain(SlurmTest):
    NODES = 2

    def setUp(self):
        super().setUp()
        self.call_nodes_down_sooner()

    def write(self, name, text=SWEEP):
        path = self.folder / f"{name}.yaml"
        path.write_text(text.format(name=name))
        return path

    def processes_on(self, node, word="marquee"):
        """Of marquee, under the shells that Slurm has started there."""
        return self.processes_of(f"SLURMD_NODENAME={node}", word)

    @staticmethod
    def send(number, processes):
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def statuses_of(self, out):
        return sorted((record["attempt"], record["host"], record["status"])
                      for record in self.attempts(out).values())

    def test_who_comes_back_from_behind_a_partition_changes_nothing(self):
        self.assert_exit(0, self.sweep("--simulate", out=self.folder / "undisturbed", sweep_file=self.write(
            "undisturbed", SWEEP.replace("seconds: 20", "seconds: 0").replace("seconds: 1\n", "seconds: 0\n"))))
        expected = self.sound_rows(self.folder / "undisturbed")
        self.repeat("no split brain", "partitions", range(REPEATS), SplitBrain.one_partition, expected)

    def one_partition(self, _, expected):
        places = {name: self.folder / name for name in ("mpirun", "array")}
        self.slurm("scontrol", "update", "NodeName=node1", "State=DRAIN", "Reason=test")
        self.submit_sweep("--slots-per-node", 2, out=places["mpirun"], sweep_file=self.write("mpirun"))
        self.submit_sweep("--array", 2, out=places["array"], sweep_file=self.write("array"))
        for out in places.values():
            self.wait_for(lambda o=out: [(1, "node2", "done")] * 2 + [(1, "node2", "running")] * 2 == self.statuses_of(o),
                          f"two finished runs and two others on node2 in {out.name}", 60)
        self.slurm("scontrol", "update", "NodeName=node1", "State=UNDRAIN")
        frozen = self.processes_on("node2")
        self.send(signal.SIGSTOP, frozen)
        self.partition("node2")
        try:
            for name, out in places.items():
                self.wait_for(lambda o=out: (2, "node1", "running") in self.statuses_of(o),
                              f"{name} to go on on node1; {self.statuses_of(out)} {self.log(out)}", 90)
            # The trainers wake up first, behind the end of their runs, and would seal them.
            self.send(signal.SIGCONT, self.processes_on("node2", "simulated-trainer"))
            time.sleep(3)
            for name, out in places.items():
                self.assertEqual([(1, "node2", "running")] * 2, self.statuses_of(out)[2:4], name)
            self.send(signal.SIGCONT, frozen)
            self.wait_for(lambda: not self.processes_on("node2"), "the old processes to go", 60)
            for name, out in places.items():
                self.assertIn("has been taken over by", self.log(out))
                first = [entry for entry in self.statuses_of(out) if entry[0] == 1]
                self.assertEqual([(1, "node2", "done")] * 2 + [(1, "node2", "running")] * 2, first)
        finally:
            self.heal("node2")
        for name, out in places.items():
            standing = self.wait_for_job(out, 120)
            self.assertEqual(("ended", 0), (standing["state"], standing["exit_code"]), self.log(out))
            self.assert_done(expected, out)
            self.assertEqual([(1, "node2", "done")] * 2 + [(2, "node1", "done")] * 2,
                             [entry for entry in self.statuses_of(out) if entry[2] == "done"])
        give_up = time.monotonic() + 60
        while "node2" not in self.slurm("sinfo", "-h", "-N", "-t", "idle", "-o", "%N"):
            self.assertLess(time.monotonic(), give_up, "node2 does not come back")
            time.sleep(0.5)


if __name__ == "__main__":
    unittest.main()
