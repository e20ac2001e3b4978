"""Whether the golden tests read every array of the reference files of both model families."""
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("MARQUEE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("MARQUEE_BIN", ROOT / "build" / "release" / "bin"))
REFERENCE = pathlib.Path(os.environ.get("MARQUEE_REFERENCE_DIR") or ROOT.parent / "shared" / "reference")
FOLDERS = ["models", "models_ar"]
# Text that the tests read as such: the lists of formula weights.
NO_ARRAYS = {"weights_json"}


def arrays_of(file):
    import h5py

    names = []
    with h5py.File(file) as h5:
        h5.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return set(names) - NO_ARRAYS


class Coverage(unittest.TestCase):
    def test_every_array_is_read_by_some_test(self):
        files = [file for folder in FOLDERS for file in sorted((REFERENCE / folder).glob("*.h5"))]
        if not files:
            self.skipTest(f"no reference files in {REFERENCE}")
        with tempfile.TemporaryDirectory(prefix="marquee-golden-") as folder:
            log = pathlib.Path(folder) / "reads"
            environment = dict(os.environ, MARQUEE_REFERENCE_LOG=str(log))
            done = subprocess.run([BIN / "workers_golden_tests"], env=environment, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout[-4000:])
            read = {tuple(line.split("\t")) for line in log.read_text().splitlines()}
        for file in files:
            relative = str(file.relative_to(REFERENCE))
            unread = {name for name in arrays_of(file) if (relative, name) not in read}
            self.assertFalse(unread, f"no test reads these of {relative}")


if __name__ == "__main__":
    unittest.main()
