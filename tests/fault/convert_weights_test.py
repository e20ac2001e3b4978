"""scripts/convert_weights: the result is what marquee reads of the file itself; what it refuses."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from harness import ENVIRONMENT, MARQUEE, USAGE

SCRIPT = pathlib.Path(os.environ.get("MARQUEE_SOURCE", pathlib.Path(__file__).resolve().parents[2])) / "scripts" / "convert_weights"
try:
    import torch
except ImportError:
    torch = None


class ConvertWeights(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="marquee-convert-")
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def convert(self, *words):
        return subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True)

    def test_without_pytorch_it_says_so(self):
        (self.folder / "torch.py").write_text("raise ImportError('none')")
        done = subprocess.run([sys.executable, SCRIPT, "a", "b"], capture_output=True, text=True,
                              env=os.environ | {"PYTHONPATH": str(self.folder)})
        self.assertEqual(done.returncode, ENVIRONMENT, done.stderr)
        self.assertIn("has no PyTorch: install torch", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)

    @unittest.skipIf(torch is None, f"{sys.executable} has no PyTorch")
    def test_a_converted_network_is_the_network(self):
        weights, assets = self.folder / "weights", self.folder / "assets"
        subprocess.run([MARQUEE.parent / "marquee_formula_checkpoint", "inception", weights], check=True)
        assets.mkdir()
        hashes = set()
        for form in ("pth", "pt"):
            out = self.folder / f"{form}.safetensors"
            done = self.convert(weights / f"inception.{form}", out)
            self.assertEqual(done.returncode, 0, done.stderr)
            for file in (weights / f"inception.{form}", out):
                said = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True).stdout
                self.assertIn(said, done.stdout)
            for name, file in ((form, weights / f"inception.{form}"), (f"{form}-converted", out)):
                done = subprocess.run([MARQUEE, "import", "features", file, "--assets", assets, "--name", name, "--trust"],
                                      capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
                hashes.add(json.loads((assets / "features" / name / "manifest.json").read_text())["sha256"])
        self.assertEqual(len(hashes), 1)

    @unittest.skipIf(torch is None, f"{sys.executable} has no PyTorch")
    def test_every_type_keeps_its_bytes(self):
        tensors = {str(kind): torch.arange(6).reshape(2, 3).to(kind).t() for kind in
                   [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16,
                    torch.bfloat16, torch.float32, torch.float64]}
        tensors |= {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3)}
        source, out = self.folder / "all.pth", self.folder / "all.safetensors"
        torch.save({"state_dict": tensors, "epoch": 3}, source)
        done = self.convert(source, out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{len(tensors)} tensors; left out, no tensors: 1 (epoch", done.stdout)
        self.assertEqual(self.convert(source, out, "--key", "state_dict").returncode, 0)
        content = out.read_bytes()
        behind = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:behind])
        self.assertEqual(header.keys(), tensors.keys())
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            self.assertEqual(entry["shape"], list(tensors[name].shape))
            stored = content[behind + begin:behind + end]
            self.assertEqual(begin % tensors[name].element_size(), 0)
            if stored:
                read = torch.frombuffer(bytearray(stored), dtype=tensors[name].dtype).reshape(entry["shape"])
                self.assertTrue(torch.equal(read, tensors[name]), name)

    @unittest.skipIf(torch is None, f"{sys.executable} has no PyTorch")
    def test_what_is_no_file_of_tensors_is_one_clear_error(self):
        class Attack:
            def __reduce__(self):
                return os.mkdir, (str(ran),)

        ran, source, out = self.folder / "ran", self.folder / "bad.pth", self.folder / "out.safetensors"
        for content, message, code, words in (
                ({"a": Attack()}, "without running what it says", ENVIRONMENT, ()),
                ([1, 2], "a dictionary of tensors is expected", ENVIRONMENT, ()),
                ({"a": torch.zeros(2, dtype=torch.complex64)}, "'a' is torch.complex64", ENVIRONMENT, ()),
                ({"a": torch.zeros(2)}, "no dictionary 'b' inside", USAGE, ("--key", "b"))):
            torch.save(content, source)
            done = self.convert(source, out, *words)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(message, done.stderr)
            self.assertIn(str(source), done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
            self.assertFalse(out.exists())
        source.write_bytes(b"not that")
        self.assertEqual(self.convert(source, out).returncode, ENVIRONMENT)
        self.assertEqual(self.convert(self.folder / "none", out).returncode, ENVIRONMENT)
        self.assertFalse(ran.exists())


if __name__ == "__main__":
    unittest.main()
