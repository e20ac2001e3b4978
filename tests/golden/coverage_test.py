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
# The lists of formula weights, which are read as text; a key of jax's random stream, whose draws are stored.
NOT_COMPARED = {"weights_json", "score_key"}


class Coverage(unittest.TestCase):
    maxDiff = None
    def test_every_array_is_read_by_some_test(self):
        files = [file for folder in FOLDERS for file in sorted((REFERENCE / folder).glob("*.h5"))]
        if not files:
            self.skipTest(f"no reference files in {REFERENCE}")
        with tempfile.TemporaryDirectory(prefix="marquee-golden-") as folder:
            log = pathlib.Path(folder) / "reads"
            environment = dict(os.environ, MARQUEE_REFERENCE_LOG=str(log))
            done = subprocess.run([BIN / "workers_golden_tests"], env=environment, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout[-4000:])
            lines = {tuple(line.split("\t")) for line in log.read_text().splitlines()}
        arrays = {(file, name) for what, file, name in lines if what == "array"}
        read = {(file, name) for what, file, name in lines if what == "read"}
        opened = {file for file, _ in arrays}
        self.assertEqual({str(file.relative_to(REFERENCE)) for file in files} - opened, set(), "files no test opens")
        unread = sorted((file, name) for file, name in arrays - read if name.split("/")[-1] not in NOT_COMPARED)
        self.assertEqual(unread, [], "arrays no test reads")


if __name__ == "__main__":
    unittest.main()
