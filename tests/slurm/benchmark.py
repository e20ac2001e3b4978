#!/usr/bin/env python3
"""Runs experiments/benchmark_mini.yaml to its end through the Slurm lab and writes its report: what docs/comparison.md and
the README's picture are made of. By hand, a quarter of an hour; results stay in OUT, and the same command goes on there:

    MARQUEE_BIN=build/release/bin tests/slurm/benchmark.py OUT TFDS_FOLDER"""
import pathlib
import sys
import time
import unittest

from lab import SlurmTest
from harness import ROOT, require_real_trainer  # of the fault tests

OUT, DATA = (pathlib.Path(word).resolve() for word in sys.argv[1:3]) if len(sys.argv) > 2 else (None, None)


class Benchmark(SlurmTest):
    NODES = 2

    def test_benchmark(self):
        require_real_trainer(self)
        began = time.monotonic()
        OUT.mkdir(parents=True, exist_ok=True)
        environment = {"MARQUEE_TRAINER": self.trainer, "MARQUEE_ASSETS": self.assets}
        told = self.marquee_slurm("submit", ROOT / "experiments" / "benchmark_mini.yaml", "--data", DATA, "--nodes", 2,
                                  "--slots-per-node", 1, out=OUT, **environment)
        print(told, flush=True)
        standing = self.wait_for_job(out=OUT, timeout=3600)
        print(standing, f"{time.monotonic() - began:.0f} s")
        self.assertEqual(["done"], list(self.statuses(OUT)))
        self.assert_exit(0, self.marquee("report", out=OUT))


if __name__ == "__main__":
    if OUT is None:
        sys.exit(__doc__)
    unittest.main(argv=sys.argv[:1] + ["-v"])
