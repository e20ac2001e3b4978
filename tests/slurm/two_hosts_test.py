"""Two coordinators on two hosts and one results folder: the newcomer waits, names the holder and gives up with 75
while the holder lives; when the holder's host has crashed, it takes over and finishes the sweep."""

import json
import time
import unittest

from lab import SlurmTest
from harness import BUSY

# The shortest that is allowed: the holder renews every 3 s.
STALE_SECONDS, GIVE_UP_SECONDS = 10, 14

SWEEP = """\
name: simulated
oracles: false
defaults: {samples: 8}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt, none]
  seed: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
simulate: {seconds: 3, steps: 3}
"""


class TwoHosts(SlurmTest):
    def lock(self):
        try:
            return json.loads((self.out / "lock").read_text())
        except (OSError, ValueError):
            return {}

    def start(self, node, name):
        return self.submit(node, name, self.command("--simulate"),
                           MARQUEE_LEASE=f"{STALE_SECONDS}:{GIVE_UP_SECONDS}")

    def test_the_newcomer_waits_and_takes_over_only_from_a_dead_host(self):
        self.sweep_file.write_text(SWEEP)
        self.start("node1", "holder")
        self.wait_for(lambda: self.lock().get("host") == "node1", "node1 to hold the folder", 60)

        began = time.monotonic()
        refused = self.start("node2", "refused")
        self.assertEqual(BUSY, self.wait_for_end(refused, "refused"), self.output("refused"))
        self.assertGreater(time.monotonic() - began, GIVE_UP_SECONDS - 1, "did not wait")
        said = self.output("refused")
        self.assertIn("waiting to see whether it still lives", said)
        self.assertIn(f"held by process {self.lock()['pid']} on host node1 (epoch 1)", said)
        self.assertEqual(1, self.lock()["epoch"])

        self.crash("node1")
        sequence = self.lock()["sequence"]
        began = time.monotonic()
        heir = self.start("node3", "heir")
        self.wait_for(lambda: self.lock().get("host") == "node3", "node3 to take over", 60)
        self.assertGreater(time.monotonic() - began, STALE_SECONDS - 1, f"took over at once, after {sequence}")
        self.assertEqual(0, self.wait_for_end(heir, "heir"), self.output("heir"))
        self.assertEqual(2, self.lock()["epoch"])
        self.assertEqual({"done": 24}, self.statuses())
        hosts = dict(self.rows("SELECT host, count(*) FROM attempts WHERE status = 'done' GROUP BY host"))
        self.assertEqual({"node1", "node3"}, set(hosts), "both hosts have finished runs")
        alone = self.folder / "alone"
        self.sweep_file.write_text(SWEEP.replace("seconds: 3", "seconds: 0"))
        self.assert_exit(0, self.sweep("--simulate", out=alone))
        self.assertEqual(self.sound_rows(alone), self.sound_rows(self.out))


if __name__ == "__main__":
    unittest.main()
