"""A gang whose trainers are on two hosts: the same bits as one trainer."""

import unittest

from lab import SlurmTest
import gang_harness  # of the fault tests
from harness import require_real_trainer


class GangAcrossHosts(SlurmTest):
    NODES = 2

    # What those tests do with a sweep.
    environment, command, give_cache, write, outcome, alone = (
        getattr(gang_harness.GangTest, name)
        for name in ("environment", "command", "give_cache", "write", "outcome", "alone"))

    def setUp(self):
        super().setUp()
        require_real_trainer(self)
        self.kept, self.references = self.folder / "kept", {}
        self.kept.mkdir()

    def test_two_hosts_give_the_bits_of_one_trainer(self):
        expected = self.alone(methods="prompt, finetune", steps=6)
        self.write(2, "prompt, finetune", steps=6)
        # Rank 0, the coordinator, and an agent on node1; the other agent on node2.
        job = self.submit("node1,node2", "gang", ["srun", "--mpi=pmix", "--distribution=cyclic", *self.command()])
        self.assertEqual(0, self.wait_for_end(job, "gang", 240), self.output("gang"))
        self.assertEqual(expected, self.outcome(self.out))
        hosts = {log.name.split("-")[1] for log in (self.out / "logs").glob("trainer-*.log")}
        self.assertEqual({"node1", "node2"}, hosts)


if __name__ == "__main__":
    unittest.main()
