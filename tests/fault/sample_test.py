"""`marquee run`, `sample` and `export` as a user calls them: what images are asked for, what is written, what is refused."""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

from harness import ENVIRONMENT, MARQUEE, USAGE, real_assets, real_trainer

RUN = ["--task", "drawn/shapes_count", "--shots", "5", "--steps", "3", "--batch", "8", "--samples", "24",
       "--decode-steps", "4", "--decode-batch", "8", "--learning-rate", "0.01", "--quiet"]


def safetensors(path):
    """Tensors of int32 as flat lists, and the metadata."""
    data = pathlib.Path(path).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] != "I32":
            continue
        begin, end = entry["data_offsets"]
        tensors[name] = (entry["shape"], struct.unpack(f"<{(end - begin) // 4}i", data[8 + length + begin:8 + length + end]))
    return tensors, metadata


def png_size(path):
    data = pathlib.Path(path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", path
    return struct.unpack(">II", data[16:24])


class SampleCommand(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if real_trainer() is None or real_assets() is None:
            raise unittest.SkipTest("no trainer or no base in this build")
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="marquee-sample-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.environment = {**os.environ, "MARQUEE_ASSETS": str(real_assets()), "OMP_NUM_THREADS": "1"}
        cls.runs = {}
        for name, words in {"both": ["--conditions", "both"],
                            "marquee": ["--conditions", "both", "--marquee", "instances", "--marquee-waypoints", "3"],
                            "lora": ["--method", "lora"],
                            "ar": ["--base", "mini_ar"]}.items():
            method = [] if "--method" in words else ["--method", "prompt"]
            done = cls.call("run", *RUN, *method, *words, "--out", cls.folder / "results", "--json")
            assert done.returncode == 0, done.stderr
            cls.runs[name] = pathlib.Path(json.loads(done.stdout)["folder"]).parent

    @classmethod
    def call(cls, *words):
        return subprocess.run([str(MARQUEE), *map(str, words)], capture_output=True, text=True, env=cls.environment,
                              timeout=300)

    def sample(self, *words):
        done = self.call("sample", *words, "--out", self.folder / "grid.png")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def tokens(self, *words):
        self.sample(*words, "--tokens", self.folder / "tokens.safetensors")
        return safetensors(self.folder / "tokens.safetensors")[0]

    def refused(self, code, text, *words):
        done = self.call("sample", *words, "--out", self.folder / "refused.png")
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.stderr.count("\nmarquee: error"), 0, "one error")
        self.assertFalse((self.folder / "refused.png").exists())

    def test_an_image_of_a_run_comes_again_alone(self):
        for name, run in self.runs.items():
            everything = self.tokens(run, "--count", "24")
            shape, flat = everything["tokens"]
            self.assertEqual(shape[0], 24)
            again = self.tokens(run, "--index", "19,3")
            for place, index in enumerate([19, 3]):
                self.assertEqual(again["tokens"][1][place * shape[1]:(place + 1) * shape[1]],
                                 flat[index * shape[1]:(index + 1) * shape[1]], f"{name}, image {index}")
                self.assertEqual(again["labels"][1][place], everything["labels"][1][index])

    def test_classes_training_images_and_headers_are_what_is_asked_for(self):
        run = self.runs["both"]
        made = self.tokens(run, "--class", "3,1", "--count", "5")
        self.assertEqual(made["labels"][1], (3, 1, 3, 1, 3))
        self.assertNotIn("instances", made)
        made = self.tokens(run, "--instance", "7", "--count", "2")
        self.assertEqual(made["instances"][1], (7, 7))
        label = made["labels"][1][0]
        made = self.tokens(run, "--instance", "7", "--class", str((label + 1) % 8), "--count", "1")
        self.assertEqual(made["labels"][1], ((label + 1) % 8,))
        made = self.tokens(run, "--marquee", "3,17,30", "--count", "2")
        self.assertEqual(made["instances"][1], (30, 30))
        still = self.tokens(run, "--marquee", "instances:30,30", "--count", "2")
        self.assertNotEqual(made["tokens"], still["tokens"])
        self.assertEqual(still["tokens"], self.tokens(run, "--instance", "30", "--count", "2")["tokens"])
        self.assertEqual(self.tokens(run, "--marquee", "classes:0,5", "--count", "2")["labels"][1], (5, 5))

    def test_a_prompt_file_gives_the_images_of_its_run(self):
        for name in ("both", "marquee", "lora", "ar"):
            file = self.folder / f"{name}.safetensors"
            done = self.call("export", "prompt", self.runs[name], "--out", file)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertLess(file.stat().st_size, 400_000)
            self.assertEqual(self.tokens("--prompt", file, "--index", "5"), self.tokens(self.runs[name], "--index", "5"))
        metadata = safetensors(self.folder / "both.safetensors")[1]
        card = json.loads(metadata["card"])
        self.assertEqual(card["run_id"], self.runs["both"].name)
        self.assertNotIn(str(self.folder), metadata["card"])
        self.assertNotIn(os.uname().nodename, metadata["card"])

    def test_pictures_have_the_sizes_they_should(self):
        self.sample(self.runs["both"], "--count", "12", "--columns", "4", "--images", self.folder / "each", "--film",
                    self.folder / "film.png")
        # 64 pixels an image, two around and between them; four decoding steps of ten images.
        self.assertEqual(png_size(self.folder / "grid.png"), (4 * 66 + 2, 3 * 66 + 2))
        self.assertEqual(png_size(self.folder / "film.png"), (4 * 66 + 2, 10 * 66 + 2))
        self.assertEqual([p.name for p in sorted((self.folder / "each").iterdir())][-1], "00011.png")
        self.assertEqual(png_size(self.folder / "each" / "00003.png"), (64, 64))
        self.sample(self.runs["ar"], "--count", "3", "--film", self.folder / "film.png")
        self.assertEqual(png_size(self.folder / "film.png"), (12 * 66 + 2, 3 * 66 + 2))
        self.sample(self.runs["marquee"], "--index", "2,9", "--film", self.folder / "film.png")
        self.assertEqual(png_size(self.folder / "film.png"), (4 * 66 + 2, 2 * 66 + 2))

    def test_settings_change_what_is_decoded(self):
        run = self.runs["both"]
        usual = self.tokens(run, "--class", "2", "--count", "2")
        for words in (["--seed", "5"], ["--steps", "2"], ["--temperature", "0"]):
            self.assertNotEqual(usual, self.tokens(run, "--class", "2", "--count", "2", *words), words)
        greedy = self.tokens(self.runs["ar"], "--class", "2", "--count", "2", "--temperature", "0")
        self.assertEqual(greedy["tokens"][1][:64], greedy["tokens"][1][64:], "the most likely tokens twice")

    def test_what_cannot_be_is_refused(self):
        run = self.runs["both"]
        self.refused(USAGE, "0 to 7", run, "--class", "8")
        self.refused(USAGE, "0 to 39", run, "--instance", "40")
        self.refused(USAGE, "'3,'", run, "--class", "3,")
        self.refused(USAGE, "was not told training images", self.runs["lora"], "--instance", "1")
        self.refused(USAGE, "method lora has none", self.runs["lora"], "--marquee", "0,1")
        self.refused(USAGE, "masked base", self.runs["ar"], "--marquee", "0,1")
        self.refused(USAGE, "masked", self.runs["ar"], "--steps", "4")
        self.refused(USAGE, "autoregressive", run, "--top-k", "4")
        self.refused(USAGE, "instance 99", run, "--marquee", "0,99")
        self.refused(USAGE, "0 to 23", run, "--index", "24")
        self.refused(USAGE, "beside --index", run, "--index", "3", "--class", "1")
        self.refused(USAGE, "a base has no images", "--base", "mini", "--index", "3")
        self.refused(USAGE, "name one of", run, "--base", "mini")
        self.refused(ENVIRONMENT, "no finished attempt", self.folder)
        self.refused(ENVIRONMENT, "is not there", self.folder / "nothing")
        done = self.call("export", "everything", run, "--out", self.folder / "x")
        self.assertEqual(done.returncode, USAGE)

    def test_a_prompt_is_refused_on_other_weights(self):
        file = self.folder / "prompt.safetensors"
        self.assertEqual(self.call("export", "prompt", self.runs["both"], "--out", file).returncode, 0)
        assets = self.folder / "assets"
        shutil.copytree(real_assets() / "mini", assets / "mini")
        manifest = json.loads((assets / "mini" / "manifest.json").read_text())
        manifest["files"]["transformer"]["sha256"] = "0" * 64
        (assets / "mini" / "manifest.json").write_text(json.dumps(manifest))
        self.refused(ENVIRONMENT, "other weights", "--prompt", file, "--assets", assets)
        self.refused(ENVIRONMENT, "other weights", self.runs["both"], "--assets", assets)


if __name__ == "__main__":
    unittest.main(verbosity=2)
