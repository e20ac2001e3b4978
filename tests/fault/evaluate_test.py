"""`marquee evaluate` and `import features` as a user calls them: every kind of input, what is printed, what is refused."""

import hashlib
import json
import math
import os
import pathlib
import random
import shutil
import struct
import subprocess
import tarfile
import tempfile
import unittest
import zipfile
import zlib


from harness import ENVIRONMENT, MARQUEE, USAGE, real_assets, real_trainer

SIDE = 16
IMAGES = 12


def pixels(seed, count=IMAGES, side=SIDE):
    """Blotches of colour, so that the network sees images that differ."""
    draw = random.Random(seed)
    images = []
    for _ in range(count):
        corners = [[draw.randrange(256) for _ in range(3)] for _ in range(4)]
        images.append(bytes(min(255, max(0, corners[2 * (y >= side // 2) + (x >= side // 2)][c] + draw.randrange(-20, 21)))
                            for y in range(side) for x in range(side) for c in range(3)))
    return images


def png(image, side=SIDE):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + image[y * side * 3:(y + 1) * side * 3] for y in range(side))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def npy(shape, data, kind="|u1", fortran=False):
    header = repr({"descr": kind, "fortran_order": fortran, "shape": shape})
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def fid_of_means(*sets):
    """Frechet distance of the mean colours of two sets, by the definition: eigenvalues of the product of covariances."""
    moments = []
    for images in sets:
        rows = [[sum(image[c::3]) / len(image[c::3]) for c in range(3)] for image in images]
        mean = [sum(row[c] for row in rows) / len(rows) for c in range(3)]
        moments.append((mean, [[sum((row[i] - mean[i]) * (row[j] - mean[j]) for row in rows) / (len(rows) - 1)
                                for j in range(3)] for i in range(3)]))
    (mean_a, a), (mean_b, b) = moments
    product = [[sum(a[i][k] * b[k][j] for k in range(3)) for j in range(3)] for i in range(3)]
    trace = sum(product[i][i] for i in range(3))
    minors = sum(product[i][i] * product[j][j] - product[i][j] * product[j][i] for i in range(3) for j in range(i))
    determinant = sum(product[0][i] * (product[1][(i + 1) % 3] * product[2][(i + 2) % 3]
                                       - product[1][(i + 2) % 3] * product[2][(i + 1) % 3]) for i in range(3))
    # Three positive roots of x^3 - trace x^2 + minors x - determinant (Viete).
    p, q = minors - trace ** 2 / 3, -2 * trace ** 3 / 27 + trace * minors / 3 - determinant
    angle = math.acos(max(-1, min(1, 3 * q / (2 * p) * math.sqrt(-3 / p)))) / 3
    roots = [2 * math.sqrt(-p / 3) * math.cos(angle - 2 * math.pi * k / 3) + trace / 3 for k in range(3)]
    return (sum((x - y) ** 2 for x, y in zip(mean_a, mean_b)) + sum(a[i][i] + b[i][i] for i in range(3))
            - 2 * sum(math.sqrt(max(0, root)) for root in roots))


def grid_of(image, side=SIDE):
    """Every fourth pixel of an image, as the module `asked` gives it."""
    return [image[(y * side + x) * 3 + c] for c in range(3) for y in range(0, side, 4) for x in range(0, side, 4)]


def shares_inside(generated, reference, k=3):
    """Precision and recall by the definition: shares within the distance of a point to its k-th neighbour."""
    def share(probes, manifold):
        radii = [sorted(math.dist(point, other) for other in manifold)[k] for point in manifold]
        inside = [any(math.dist(probe, point) <= radius for point, radius in zip(manifold, radii)) for probe in probes]
        return sum(inside) / len(inside)

    return share(generated, reference), share(reference, generated)


def npy_bytes(array):
    """The numbers of a uint8 array of one axis."""
    assert array.startswith(b"\x93NUMPY\x01\x00") and b"'|u1'" in array, array[:80]
    return array[10 + struct.unpack("<H", array[8:10])[0]:]


class EvaluateCommand(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if real_trainer() is None or real_assets() is None:
            raise unittest.SkipTest("no trainer or no base in this build")
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="marquee-evaluate-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.environment = {**os.environ, "MARQUEE_ASSETS": str(real_assets()), "OMP_NUM_THREADS": "1"}
        cls.a = cls.write_folder("a", pixels(1))
        cls.b = cls.write_folder("b", pixels(2))

    @classmethod
    def write_folder(cls, name, images, side=SIDE):
        folder = cls.folder / name
        folder.mkdir()
        for i, image in enumerate(images):
            (folder / f"{i:03d}.png").write_bytes(png(image, side))
        return folder

    def call(self, *words, command="evaluate"):
        return subprocess.run([str(MARQUEE), command, *map(str, words)], capture_output=True, text=True,
                              env=self.environment, timeout=300)

    def evaluate(self, generated, reference, *words):
        done = self.call("--generated", generated, "--reference", reference, "--protocol", "mini-v1", "--json",
                         "--quiet", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def refuse(self, code, *words, command="evaluate"):
        done = self.call(*words, "--quiet", *([] if "--protocol" in words else ["--protocol", "mini-v1"])) \
            if command == "evaluate" else self.call(*words, command=command)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertEqual(done.stderr.count("error:"), 1, done.stderr)
        return done.stderr

    def test_prints_what_the_contract_says(self):
        result = self.evaluate(self.a, self.b)
        self.assertEqual(result["protocol"], "mini-v1")
        self.assertEqual((result["n_generated"], result["n_reference"]), (IMAGES, IMAGES))
        self.assertEqual(len(result["network_hash"]), 64)
        self.assertEqual(set(result["metrics"]),
                         {"fid_mini", "kid_mini", "precision", "recall", "density", "coverage"})
        self.assertGreater(result["metrics"]["fid_mini"], 0)
        self.assertGreater(result["standard_errors"]["fid_mini"], 0)
        table = self.call("--generated", self.a, "--reference", self.b, "--protocol", "mini-v1")
        self.assertIn("12 generated, 12 reference", table.stdout)
        self.assertRegex(table.stdout, r"fid_mini +\d")
        self.assertIn("generated 12/12", table.stderr)

    def test_every_kind_of_input_gives_the_same_numbers(self):
        expected = self.evaluate(self.a, self.b)["metrics"]
        with zipfile.ZipFile(self.folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(self.a.iterdir()):
                archive.write(file, f"images/{file.name}")
        with tarfile.open(self.folder / "b.tar.gz", "w:gz") as archive:
            archive.add(self.b, "b")
        with zipfile.ZipFile(self.folder / "b.npz", "w") as archive:
            archive.writestr("arr_0.npy", npy((IMAGES, SIDE, SIDE, 3), b"".join(pixels(2))))
        cache = self.folder / "cache"
        for generated in (self.a, self.folder / "a.zip"):
            for reference in (self.b, self.folder / "b.tar.gz", self.folder / "b.npz"):
                with self.subTest(generated=generated.name, reference=reference.name):
                    for _ in range(2):  # made, then from the cache
                        self.assertEqual(self.evaluate(generated, reference, "--cache", cache)["metrics"], expected)
        # Equal files have equal content, wherever they lie; the array's rows are other bytes.
        self.assertEqual(len(list(cache.glob("features-*.h5"))), 3)

    def write_npz(self, name, members, compression=zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(self.folder / name, "w", compression) as archive:
            for member, data in members.items():
                archive.writestr(f"{member}.npy", data)
        return self.folder / name

    def test_arrays_are_unpacked_or_mapped(self):
        """Compressed, in columns, beside others, or larger than a block of the reader: the same images."""
        expected = self.evaluate(self.a, self.b)["metrics"]
        rows = b"".join(pixels(2))
        shape = (IMAGES, SIDE, SIDE, 3)
        columns = bytes(rows[((i * SIDE + y) * SIDE + x) * 3 + c]
                        for c in range(3) for x in range(SIDE) for y in range(SIDE) for i in range(IMAGES))
        labels = npy((1 << 19,), bytes(1 << 22), "<i8")  # 4 MiB in front
        scratch = self.folder / "scratch"
        for reference in (self.write_npz("deflated.npz", {"arr_0": npy(shape, rows), "arr_1": labels}),
                          self.write_npz("columns.npz", {"x": npy(shape, columns, fortran=True)}),
                          self.write_npz("in-place.npz", {"a": labels, "images": npy(shape, rows)}, zipfile.ZIP_STORED)):
            with self.subTest(reference=reference.name):
                self.assertEqual(self.evaluate(self.a, reference)["metrics"], expected)
                self.assertEqual(self.evaluate(self.a, reference, "--cache", scratch)["metrics"], expected)
        # Nothing of what was unpacked is left.
        self.assertEqual({file.name.split("-")[0] for file in scratch.iterdir()}, {"features"})

    def test_arrays_that_are_not_what_they_claim(self):
        rows = b"".join(pixels(2))
        shape = (IMAGES, SIDE, SIDE, 3)

        def refused(reference):
            told = self.refuse(ENVIRONMENT, "--generated", self.a, "--reference", reference)
            self.assertIn(str(reference), told)
            return told

        self.assertIn("9216 bytes of numbers, not the 9984 of shape [13, 16, 16, 3]",
                      refused(self.write_npz("more.npz", {"arr_0": npy((13, SIDE, SIDE, 3), rows)})))
        self.assertIn("9216 bytes", refused(self.write_npz("vast.npz", {"arr_0": npy((1 << 40, 64, 64, 3), rows)})))
        # A bomb: zeros, whose size is what it says.
        bomb = self.folder / "bomb.npz"
        header = npy((22 << 10, 128, 128, 3), b"")
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            with archive.open("arr_0.npy", "w", force_zip64=True) as member:
                member.write(header)
                for _ in range(1056):
                    member.write(bytes(1 << 20))
        self.assertIn("unpacks to more than 100 times", refused(bomb))
        bomb.unlink()
        whole = self.write_npz("cut.npz", {"arr_0": npy(shape, rows)})
        data = bytearray(whole.read_bytes())
        data[len(data) // 2] ^= 1
        whole.write_bytes(data)
        self.assertIn("arr_0.npy: damaged", refused(whole))
        whole.write_bytes(data[:len(data) // 2])
        self.assertIn("no zip archive", refused(whole))
        # The member alone is cut: the directory behind it says that it is longer than it is.
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("arr_0.npy", npy(shape, rows))
        with zipfile.ZipFile(whole) as archive:
            begin = archive.infolist()[0].compress_size // 2
            directory = archive.start_dir
        data = bytearray(whole.read_bytes())
        data[begin:directory] = bytes(directory - begin)
        whole.write_bytes(data)
        self.assertIn("arr_0.npy: damaged", refused(whole))

    def test_a_damaged_cache_is_made_again(self):
        cache = self.folder / "damaged-cache"
        expected = self.evaluate(self.a, self.b, "--cache", cache)
        files = list(cache.glob("features-*.h5"))
        whole = {file: file.read_bytes() for file in files}
        flipped = {file: data[:len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1:]
                   for file, data in whole.items()}
        swapped = dict(zip(files, reversed(whole.values())))  # whole files, of other images
        for damaged in (flipped, swapped, {file: data[:-7] for file, data in whole.items()}, dict.fromkeys(files, b"")):
            for file, data in damaged.items():
                file.write_bytes(data)
            done = self.call("--generated", self.a, "--reference", self.b, "--protocol", "mini-v1", "--json", "--quiet",
                             "--cache", cache)
            self.assertEqual((done.returncode, json.loads(done.stdout)), (0, expected), done.stderr)
            self.assertEqual(done.stderr.count("made again"), 2, done.stderr)
            # And kept: the next call reads it.
            self.assertNotIn("made again", self.call("--generated", self.a, "--reference", self.b, "--protocol",
                                                     "mini-v1", "--json", "--quiet", "--cache", cache).stderr)

    def test_two_processes_fill_one_cache(self):
        cache = self.folder / "shared-cache"
        words = [MARQUEE, "evaluate", "--generated", self.a, "--reference", self.b, "--protocol", "mini-v1", "--json",
                 "--quiet", "--cache", cache]
        alone = self.evaluate(self.a, self.b)
        for _ in range(3):
            shutil.rmtree(cache, ignore_errors=True)
            both = [subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                     env=self.environment) for _ in range(2)]
            for process in both:
                out, told = process.communicate(timeout=300)
                self.assertEqual((process.returncode, told), (0, ""))
                self.assertEqual(json.loads(out), alone)
            # What is left is whole, and nothing but that.
            self.assertEqual([file.suffix for file in cache.iterdir()], [".h5", ".h5"])
            self.assertEqual(self.evaluate(self.a, self.b, "--cache", cache), alone)

    def test_a_set_with_itself(self):
        metrics = self.evaluate(self.a, self.a)["metrics"]
        self.assertLess(abs(metrics["fid_mini"]), 1e-9)
        self.assertEqual((metrics["precision"], metrics["recall"], metrics["coverage"]), (1, 1, 1))

    def test_bad_images_are_one_clear_error(self):
        broken = self.write_folder("broken", pixels(3))
        (broken / "005.png").write_bytes(b"no image")
        self.assertIn("005.png", self.refuse(ENVIRONMENT, "--generated", broken, "--reference", self.b))
        empty = self.folder / "empty"
        empty.mkdir()
        self.assertIn("holds no image", self.refuse(ENVIRONMENT, "--generated", empty, "--reference", self.b))
        few = self.write_folder("few", pixels(4, count=1))
        self.assertIn("the generated images are 1",
                      self.refuse(USAGE, "--generated", few, "--reference", self.b))
        neighbours = self.write_folder("neighbours", pixels(4, count=5))
        self.assertIn("at least 6", self.refuse(USAGE, "--generated", neighbours, "--reference", self.b,
                                                "--metrics", "density"))
        for name in ("/etc/x.png", "../x.png"):
            with zipfile.ZipFile(self.folder / "leaving.zip", "w") as archive:
                archive.writestr("0.png", png(pixels(1)[0]))
                archive.writestr(name, png(pixels(1)[1]))
            self.assertIn("absolute name or one with '..'",
                          self.refuse(ENVIRONMENT, "--generated", self.folder / "leaving.zip", "--reference", self.b))
        self.assertIn("no folder, archive", self.refuse(USAGE, "--generated", "nowhere", "--reference", self.b))

    def test_bad_words_are_usage_errors(self):
        both = ("--generated", self.a, "--reference", self.b)
        self.assertIn("expected one of", self.refuse(USAGE, *both, "--protocol", "clean"))
        self.assertIn("has no metric 'isc'", self.refuse(USAGE, *both, "--metrics", "isc"))
        self.assertIn("--reference is missing", self.refuse(USAGE, "--generated", self.a))
        self.assertIn("marquee import features",
                      self.refuse(ENVIRONMENT, *both, "--protocol", "clean-fid", "--assets", self.folder))

    def test_statistics_files(self):
        stats = self.folder / "b-stats.npz"
        expected = self.evaluate(self.a, self.b, "--save-stats", stats)["metrics"]["fid_mini"]
        with zipfile.ZipFile(stats) as archive:
            self.assertIsNone(archive.testzip())
            self.assertEqual(set(archive.namelist()), {"mu.npy", "sigma.npy", "n.npy", "network_hash.npy", "input_rule.npy"})
        made = self.evaluate(self.a, self.b)
        with zipfile.ZipFile(stats) as archive:
            said = {name: npy_bytes(archive.read(f"{name}.npy")).decode() for name in ("network_hash", "input_rule")}
        self.assertEqual(said, {name: made[name] for name in said})
        # The same width, another network or input: refused, and both are named.
        for name, other in (("network_hash", "ab" * 32), ("input_rule", "as it likes"), ("network_hash", "")):
            changed = self.folder / "changed.npz"
            with zipfile.ZipFile(stats) as old, zipfile.ZipFile(changed, "w") as new:
                for member in old.namelist():
                    new.writestr(member, npy((len(other),), other.encode()) if member == f"{name}.npy"
                                 else old.read(member))
            told = self.refuse(ENVIRONMENT, "--generated", self.a, "--reference", changed, "--metrics", "fid_mini")
            self.assertIn(f"changed.npz: statistics of another network: {name} is '{other}'" if other else "is no text",
                          told)
            self.assertIn(made[name] if other else "'network_hash'", told)
        # Of others' files nothing is known but the width.
        foreign = self.folder / "foreign.npz"
        with zipfile.ZipFile(stats) as old, zipfile.ZipFile(foreign, "w") as new:
            for member in ("mu.npy", "sigma.npy"):
                new.writestr(member, old.read(member))
        self.assertAlmostEqual(self.evaluate(self.a, foreign)["metrics"]["fid_mini"], expected, delta=1e-4 * expected)
        # Without a distance among the metrics the file is the same.
        again = self.folder / "again.npz"
        self.evaluate(self.a, self.b, "--save-stats", again, "--metrics", "coverage")
        self.assertEqual(again.read_bytes(), stats.read_bytes())
        with zipfile.ZipFile(self.folder / "wide.npz", "w") as archive:
            archive.writestr("mu.npy", npy((3,), struct.pack("<3d", 1, 2, 3), "<f8"))
            archive.writestr("sigma.npy", npy((2, 3), struct.pack("<6d", *range(6)), "<f8"))
        self.assertIn("[2, 3]", self.refuse(ENVIRONMENT, "--generated", self.a, "--reference", self.folder / "wide.npz",
                                            "--metrics", "fid_mini"))
        with zipfile.ZipFile(self.folder / "other.npz", "w") as archive:
            archive.writestr("mu.npy", npy((2,), struct.pack("<2d", 1, 2), "<f8"))
            archive.writestr("sigma.npy", npy((2, 2), struct.pack("<4d", 1, 0, 0, 1), "<f8"))
        self.assertIn("different networks",
                      self.refuse(USAGE, "--generated", self.a, "--reference", self.folder / "other.npz",
                                  "--metrics", "fid_mini"))
        result = self.evaluate(self.a, stats)
        self.assertAlmostEqual(result["metrics"]["fid_mini"], expected, delta=1e-4 * expected)
        self.assertEqual(result["n_reference"], IMAGES)
        self.assertIn("needs the images themselves",
                      self.refuse(USAGE, "--generated", self.a, "--reference", stats, "--metrics", "precision"))

    def test_outside_generators_enter_the_tables(self):
        results = self.folder / "results"
        for name, reference in (("GAN", self.b), ("Other", self.a)):
            done = self.call("--generated", self.a, "--reference", reference, "--protocol", "mini-v1", "--quiet", "--out",
                             results, "--name", name, "--task", "dtd", "--shots", "5", "--citation", "Someone 2020")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("entered as evaluation", done.stderr)
        asked = self.call("--out", results, "--format", "json", "SELECT generator, n_generated FROM all_metrics "
                          "WHERE metric = 'fid_mini' ORDER BY value", command="query")
        self.assertEqual([row["generator"] for row in json.loads(asked.stdout)], ["Other", "GAN"], asked.stderr)
        self.assertEqual(self.call("--out", results, command="report").returncode, 0)
        table = (results / "report" / "table.md").read_text()
        self.assertRegex(table, r"\| 5 \| GAN \|  \| \d")
        self.assertIn("--name", self.refuse(USAGE, "--generated", self.a, "--reference", self.b, "--out", results))

    def test_a_run_is_measured_again_from_its_folder(self):
        results = self.folder / "runs-of-a-sweep"
        done = self.call("--task", "drawn/shapes_count", "--shots", "5", "--method", "none", "--samples", "24",
                         "--decode-steps", "2", "--decode-batch", "10", "--quiet", "--out", results, "--json",
                         command="run")
        self.assertEqual(done.returncode, 0, done.stderr)
        attempt = pathlib.Path(json.loads(done.stdout)["folder"])
        stored = json.loads((attempt / "attempt.json").read_text())["result"]["metrics"]
        expected = {metric["metric"]: metric["value"] for metric in stored}
        for run in (attempt.parent, attempt, attempt / "result.h5"):
            result = self.evaluate(run, "drawn/shapes_count:test", "--resamples", 0, "--cache", self.folder / "of-the-task")
            self.assertEqual(result["n_generated"], 24)
            for name, value in result["metrics"].items():
                self.assertAlmostEqual(value, expected[name], delta=1e-5 * abs(expected[name]) + 1e-9, msg=name)
        # By a further protocol the numbers stand beside the run's own, and in no view of runs.
        further = self.call("--generated", attempt, "--reference", self.b, "--protocol", "mini-v1", "--quiet", "--out",
                            results, "--metrics", "fid_mini")
        self.assertEqual(further.returncode, 0, further.stderr)
        asked = json.loads(self.call("--out", results, "--format", "json", "SELECT made_by, generator, task, source, value "
                                     "FROM all_metrics WHERE metric = 'fid_mini' ORDER BY source", command="query").stdout)
        self.assertEqual([attempt.parent.name] * 2, [row["made_by"] for row in asked])
        self.assertEqual([("none", "drawn/shapes_count", "evaluation of a run"), ("none", "drawn/shapes_count", "run")],
                         [(row["generator"], row["task"], row["source"]) for row in asked])
        self.assertEqual(expected["fid_mini"], asked[1]["value"])
        self.assertNotEqual(expected["fid_mini"], asked[0]["value"])
        rows = json.loads(self.call("--out", results, "--format", "json", "SELECT fid_mini FROM results",
                                    command="query").stdout)
        self.assertEqual([{"fid_mini": expected["fid_mini"]}], rows)
        content = bytearray((attempt / "result.h5").read_bytes())
        content[len(content) // 2] ^= 1
        (attempt / "result.h5").write_bytes(content)
        self.assertIn("result.h5", self.refuse(ENVIRONMENT, "--generated", attempt, "--reference", self.b))

    def test_inception_from_every_form_of_its_file(self):
        weights = self.inception()
        assets = self.folder / "assets"
        assets.mkdir()
        refused = self.call("features", weights / "inception.pth", "--assets", assets, command="import")
        self.assertEqual(refused.returncode, USAGE)
        self.assertIn("none of the published files", refused.stderr)
        values = set()
        for form in ("pth", "pt", "safetensors"):
            done = self.call("features", weights / f"inception.{form}", "--assets", assets, "--name", form, "--trust",
                             command="import")
            self.assertEqual(done.returncode, 0, done.stderr)
            result = self.call("--generated", self.a, "--reference", self.b, "--protocol", "pytorch-fid", "--json",
                               "--quiet", "--assets", assets, "--features", form, "--resamples", 0)
            self.assertEqual(result.returncode, 0, result.stderr)
            values.add(json.loads(result.stdout)["metrics"]["fid"])
        self.assertEqual(len(values), 1)
        mixed = self.write_folder("mixed", pixels(5, count=2))
        (mixed / "wide.png").write_bytes(png(pixels(6, 1, 20)[0], 20))
        self.assertIn("images of one size are expected",
                      self.refuse(ENVIRONMENT, "--generated", mixed, "--reference", self.b, "--protocol", "pytorch-fid",
                                  "--assets", assets, "--features", "pt"))
        cut_off = self.folder / "inception-cut.pth"
        cut_off.write_bytes((weights / "inception.pth").read_bytes()[:-4])
        cut = self.call("features", cut_off, "--assets", assets, "--name", "cut", "--trust",
                        command="import")
        self.assertEqual(cut.returncode, ENVIRONMENT)
        self.assertIn("cut off", cut.stderr)
        self.assertFalse((assets / "features" / "cut").exists())

    @classmethod
    def inception(cls):
        """A folder with a network of Inception's form in every form of its file."""
        folder = cls.folder / "weights"
        if not folder.exists():
            subprocess.run([MARQUEE.parent / "marquee_formula_checkpoint", "inception", folder], check=True)
        return folder

    @classmethod
    def modules(cls):
        """TorchScript modules, and an assets folder for them."""
        folder = cls.folder / "modules"
        if not folder.exists():
            subprocess.run([MARQUEE.parent / "marquee_formula_checkpoint", "torchscript", folder], check=True)
            (folder / "assets").mkdir()
        return folder, folder / "assets"

    def import_module(self, module, *words, name=None):
        folder, assets = self.modules()
        done = self.call("features", folder / f"{module}.pt", "--torchscript", "--trust", "--name", name or module,
                         "--assets", assets, *words, command="import")
        self.assertEqual(done.returncode, 0, done.stderr)
        return assets

    def test_a_torchscript_network_by_name(self):
        folder, assets = self.modules()
        file = folder / "good.pt"
        words = ("features", file, "--torchscript", "--assets", assets)
        self.assertIn("--name", self.refuse(USAGE, *words, "--trust", command="import"))
        self.assertIn("--trust", self.refuse(USAGE, *words, "--name", "good", command="import"))
        self.assertFalse((assets / "features" / "good").exists())
        self.import_module("good", "--side", 8, "--resize", "pil_bicubic_uint8")
        sets = [pixels(7, 32), pixels(8, 32)]
        both = ("--generated", self.write_folder("many-a", sets[0]), "--reference", self.write_folder("many-b", sets[1]),
                "--assets", assets)
        done = self.call(*both, "--protocol", "vtab", "--features", "good", "--json", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual((result["protocol"], result["network"], result["verified"]), ("vtab (good)", "good", False))
        self.assertEqual(result["network_hash"], hashlib.sha256(file.read_bytes()).hexdigest())
        self.assertEqual(result["input_rule"], "pil_bicubic_uint8 to 8, ImageNet mean and deviation")
        self.assertEqual(set(result["metrics"]),
                         {"fid", "kid", "precision", "recall", "density", "coverage", "fid_infinity", "vendi"})
        self.assertGreater(result["metrics"]["fid"], 0)
        vtab = (*both, "--features", "good", "--protocol", "vtab")
        self.assertIn("protocol vtab (good) has no metric 'inception_score'",
                      self.refuse(USAGE, *vtab, "--metrics", "fid,inception_score"))
        self.assertIn("has no metric 'sfid'", self.refuse(USAGE, *both, "--features", "good", "--protocol", "adm",
                                                          "--metrics", "sfid"))
        self.assertIn("bf16", self.refuse(USAGE, *vtab, "--compute", "bf16"))
        for protocol in ("pytorch-fid-64", "mini-v1"):
            self.assertIn("own", self.refuse(USAGE, *both, "--features", "good", "--protocol", protocol))
        self.assertIn("import features", self.refuse(ENVIRONMENT, *both, "--features", "better", "--protocol", "vtab"))
        # The input is the module's own: another side gives other numbers.
        self.import_module("good", "--side", 16, "--levels", name="larger")
        other = self.call(*both, "--protocol", "vtab", "--features", "larger", "--json", "--quiet", "--metrics", "fid")
        self.assertNotEqual(json.loads(other.stdout)["metrics"]["fid"], result["metrics"]["fid"])
        # A tuple's first element: means of colours, whose FID is plain to compute.
        self.import_module("tuple", "--side", 0, "--levels")
        done = self.call(*both, "--protocol", "vtab", "--features", "tuple", "--json", "--quiet", "--metrics", "fid")
        self.assertAlmostEqual(json.loads(done.stdout)["metrics"]["fid"], fid_of_means(*sets), places=2)
        weights = assets / "features" / "good" / "network.pt"
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")
        self.assertIn("network.pt: damaged", self.refuse(ENVIRONMENT, *vtab))

    def test_torchscript_modules_that_fail_are_one_clear_error(self):
        folder, assets = self.modules()
        (folder / "garbage.pt").write_bytes(random.Random(1).randbytes(4096))
        (folder / "short.pt").write_bytes((folder / "good.pt").read_bytes()[:-100])
        for module in ("garbage", "short", "nothing"):
            with self.subTest(module=module):
                told = self.refuse(ENVIRONMENT, "features", folder / f"{module}.pt", "--torchscript", "--trust", "--name",
                                   module, "--assets", assets, command="import")
                self.assertIn(f"{module}.pt: no TorchScript module", told)
                self.assertEqual(told.strip().count("\n"), 0, told)
                self.assertFalse((assets / "features" / module).exists())
        for module, reason in (("raising", "no images today"), ("scalar", "Float [] for 12 images"),
                               ("fewer", "[11, 192] for 12 images"), ("whole", "Long [12, 192] for 12"),
                               ("text", "Expected Tensor but got String"), ("two", "y")):
            with self.subTest(module=module):
                self.import_module(module, "--side", 8)
                told = self.refuse(ENVIRONMENT, "--generated", self.a, "--reference", self.b, "--assets", assets,
                                   "--protocol", "vtab", "--features", module)
                self.assertIn(f"{module}/network.pt: ", told)
                self.assertIn(reason, told)
                self.assertEqual(told.strip().count("\n"), 0, told)
        # Own size: what cannot be one batch is said, and features of two widths are no set.
        self.import_module("fewer", "--side", 0, name="own")
        mixed = self.write_folder("mixed-own", pixels(5, count=2))
        (mixed / "wide.png").write_bytes(png(pixels(6, 1, 20)[0], 20))
        self.assertIn("own size", self.refuse(ENVIRONMENT, "--generated", mixed, "--reference", self.b, "--assets",
                                              assets, "--protocol", "vtab", "--features", "own"))

    def test_precision_and_recall_of_stylegan2_ada_are_of_its_own_network(self):
        folder, _ = self.modules()
        assets, weights, results = self.folder / "ada-assets", self.inception(), self.folder / "ada-results"
        assets.mkdir()

        def imported(*words):
            done = self.call("features", *words, "--trust", "--assets", assets, command="import")
            self.assertEqual(done.returncode, 0, done.stderr)

        imported(weights / "inception.safetensors")
        ada = ("--generated", self.a, "--reference", self.b, "--protocol", "stylegan2-ada", "--assets", assets,
               "--resamples", 0, "--quiet")
        without = self.call(*ada, "--json")
        self.assertEqual(without.returncode, 0, without.stderr)
        self.assertEqual(set(json.loads(without.stdout)["metrics"]), {"fid", "kid", "inception_score"})
        self.assertIn("precision and recall are left out", without.stderr)
        command = "marquee import features vgg16.pt --torchscript --trust --name vgg16 --side 0 --levels"
        self.assertIn(command, without.stderr)
        self.assertIn(command, self.refuse(ENVIRONMENT, *ada[:-1], "--metrics", "recall"))
        imported(folder / "asked.pt", "--torchscript", "--name", "vgg16")
        self.assertIn("own size, levels 0 to 255", self.refuse(ENVIRONMENT, *ada[:-1]))
        shutil.rmtree(assets / "features" / "vgg16")
        imported(folder / "asked.pt", "--torchscript", "--name", "vgg16", "--side", 0, "--levels")
        done = self.call(*ada, "--json", "--out", results, "--name", "GAN", "--task", "dtd")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual(set(result["metrics"]), {"fid", "kid", "inception_score", "precision", "recall"})
        self.assertEqual(result["network"], "inception-2015-12-05")
        hashed = hashlib.sha256((folder / "asked.pt").read_bytes()).hexdigest()
        self.assertEqual(result["precision_and_recall"]["network_hash"], hashed)
        expected = shares_inside(*[[grid_of(image) for image in pixels(seed)] for seed in (1, 2)])
        self.assertEqual((result["metrics"]["precision"], result["metrics"]["recall"]), expected)
        self.assertNotIn(expected, ((0, 0), (1, 1)))
        asked = self.call("--out", results, "--format", "json", "SELECT metric, network_hash FROM all_metrics", command="query")
        stored = {row["metric"]: row["network_hash"] for row in json.loads(asked.stdout)}
        self.assertEqual({metric for metric, network in stored.items() if network == hashed}, {"precision", "recall"})
        self.assertEqual({network for network in stored.values() if network != hashed}, {result["network_hash"]})
        # Alone, they need no features of Inception.
        alone = json.loads(self.call(*ada, "--json", "--metrics", "precision").stdout)
        self.assertEqual(alone["metrics"], {"precision": expected[0]})
        self.assertIn("vgg16 ", self.call(*ada, "--metrics", "precision").stdout)


if __name__ == "__main__":
    unittest.main()
