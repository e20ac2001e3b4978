"""Imports checkpoints of the published size, made of formula weights, and samples from the base."""
import json
import os
import pathlib
import resource
import subprocess
import tempfile
import time
import unittest

BIN = pathlib.Path(os.environ["MARQUEE_BIN"])
MOST_MEMORY = 1.5  # times the largest file
SMALLEST_FREE = 3 << 30


def run(*command):
    """Seconds, peak bytes and output of a command that must succeed."""
    started = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    with process.stdout:
        output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, output
    return time.monotonic() - started, usage.ru_maxrss * 1024, output


class FullSizeImport(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="marquee-import-")
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        free = os.statvfs(self.path)
        if free.f_bavail * free.f_frsize < SMALLEST_FREE:
            self.skipTest(f"{self.path} has not the 3 GiB that the files take")

    def test_maskgit_256_is_imported_within_its_memory_and_samples(self):
        run(BIN / "marquee_formula_checkpoint", "maskgit256", self.path)
        files = {name: self.path / f"{name}.msgpack" for name in ("tokenizer", "transformer")}
        assets = self.path / "assets"
        assets.mkdir()
        seconds, peak, _ = run(BIN / "marquee-trainer", "import", "maskgit256", "--out", assets,
                               "--tokenizer", files["tokenizer"], "--transformer", files["transformer"])
        largest = max(file.stat().st_size for file in files.values())
        print(f"import: {seconds:.1f} s, peak {peak / 1e6:.0f} MB, {peak / largest:.2f} of the file")
        self.assertLess(peak, MOST_MEMORY * largest)
        manifest = json.loads((assets / "maskgit256" / "manifest.json").read_text())
        self.assertEqual(manifest["files"]["transformer"]["numbers"], 172_457_193)
        self.assertEqual(manifest["files"]["tokenizer"]["numbers"], 54_515_587)
        for file in files.values():
            file.unlink()

        picture = self.path / "sample.png"
        seconds, peak, _ = run(BIN / "marquee-trainer", "sample", "--base", "maskgit256", "--assets", assets,
                               "--class", "207", "--count", "1", "--steps", "4", "--threads", "2",
                               "--out", picture)
        print(f"sample: {seconds:.1f} s, peak {peak / 1e6:.0f} MB")
        width = int.from_bytes(picture.read_bytes()[16:20], "big")
        self.assertGreaterEqual(width, 256)


if __name__ == "__main__":
    unittest.main()
