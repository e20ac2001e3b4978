"""Whether the golden tests read every array and entry of the reference files of both model families and of the metrics.

CTest runs it behind the golden tests, each of which leaves a record of what it read (tests/fixtures/reference_log.h). A
test without a record of this build and these files is run here.
"""
import fnmatch
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("MARQUEE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("MARQUEE_BIN", ROOT / "build" / "release" / "bin"))
SHARED = pathlib.Path(os.environ.get("MARQUEE_SHARED") or ROOT.parent / "shared")
REFERENCE = pathlib.Path(os.environ.get("MARQUEE_REFERENCE_DIR") or SHARED / "reference")
# Entries that nothing can be compared with, and why.
NOT_COMPARED = {
    "*/score_key": "a key of jax's random stream, whose draws are stored",
    "*/about": "prose",
    "*/note": "prose",
    "*/what": "prose",
    "*/algorithm/*": "prose",
    "*/conv_rule": "prose; the deviations that it gives are compared",
    "*/numpy": "the version of the tool",
    "*/state_key_first4": "how NumPy keeps the generator's state; the words that it gives are compared",
    "*/state_pos": "likewise",
    "*/standard_normal_*": "no metric draws normal numbers",
    "*/pytorch_fid_wrapper_name": "names of modules in that tool, which are in no weight file",
    "*/corrupt_*/members/*": "of an archive that is refused",
    "*/corrupt_*/zip": "the message of Python's zipfile; that the archive is refused is compared",
    # How a member lies in its archive: what is read through these fields is compared.
    "*/members/[*]/method": "of the archive's headers",
    "*/members/[*]/compressed": "likewise",
    "*/members/[*]/local_*": "likewise",
}


def files_to_read():
    found = [file for folder in ["models", "models_ar"] for file in (REFERENCE / folder).glob("*.h5")]
    found += [file for file in (REFERENCE / "metrics").rglob("*") if file.is_file() and file.name != "README.md"]
    return sorted(found)


def tests_of(program):
    """Names of its tests as --gtest_filter takes them."""
    listed = subprocess.run([program, "--gtest_list_tests"], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        name = line.split("#")[0].strip()
        if name.endswith(".") and not line.startswith(" "):
            suite = name
        elif line.startswith(" "):
            yield suite + name


class Coverage(unittest.TestCase):
    maxDiff = None

    def records(self, programs, log, files):
        """Lines of what each test read, of this build and these files."""
        lines = set()
        for program in programs:
            newest = max(file.stat().st_mtime_ns for file in [program, *files])

            def missing(test):
                record = log / f"{program.name}.{test.replace('/', '.')}"
                if not record.is_file() or record.stat().st_mtime_ns <= newest:
                    return True
                first, *others = record.read_text().splitlines()
                if first != f"of\t{REFERENCE.resolve()}":
                    return True
                lines.update(tuple(line.split("\t")) for line in others)
                return False

            tests = list(tests_of(program))
            again = [test for test in tests if missing(test)]
            if again:
                print(f"{program.name}: {len(again)} of {len(tests)} tests are run", flush=True)
                done = subprocess.run([program, f"--gtest_filter={':'.join(again)}"], capture_output=True, text=True,
                                      env=os.environ | {"MARQUEE_REFERENCE_LOG": str(log)})
                self.assertEqual(done.returncode, 0, done.stdout[-4000:])
                self.assertEqual([test for test in again if missing(test)], [], "tests that leave no record")
        return lines

    def test_every_entry_is_read_by_some_test(self):
        files = files_to_read()
        if not files:
            self.skipTest(f"no reference files in {REFERENCE}")
        programs = sorted(BIN.glob("*_golden_tests"))
        if not programs:
            self.skipTest(f"no golden tests in {BIN}: built without LibTorch")
        with tempfile.TemporaryDirectory(prefix="marquee-golden-") as folder:
            lines = self.records(programs, pathlib.Path(os.environ.get("MARQUEE_REFERENCE_LOG") or folder), files)
        entries = {(file, name) for what, file, name in lines if what == "entry"}
        read = {(file, name) for what, file, name in lines if what == "read"}
        opened = {file for file, _ in entries | read}
        self.assertEqual({str(file.relative_to(REFERENCE)) for file in files} - opened, set(), "files no test opens")
        unread = sorted((file, name) for file, name in entries - read
                        if not any(fnmatch.fnmatchcase("/" + name, pattern) for pattern in NOT_COMPARED))
        self.assertEqual(unread, [], "entries no test reads")


if __name__ == "__main__":
    unittest.main()
