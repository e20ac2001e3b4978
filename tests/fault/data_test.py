"""`marquee data` as a process: a killed export leaves nothing under its name; progress on a terminal and in a log."""

import json
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from harness import MARQUEE, SHARED

DATA = SHARED / "data" / "tfds"


class DataCommand(unittest.TestCase):
    def setUp(self):
        if not os.access(MARQUEE, os.X_OK):
            self.skipTest(f"{MARQUEE} is not built")
        if not (DATA / "caltech101").exists():
            self.skipTest(f"{DATA / 'caltech101'} is absent (MARQUEE_SHARED names the folder above data/)")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="marquee-data-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def command(self, *words):
        return [str(MARQUEE), "data", *map(str, words)]

    def export(self, *words):
        return self.command("export", "--task", "caltech101", "--data", DATA, "--to", self.folder / "out", *words)

    def test_a_killed_export_leaves_nothing_under_its_name_and_can_be_done_again(self):
        for signal_sent in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            process = subprocess.Popen(self.export("--quiet"))
            part = self.folder / "out" / "caltech101.part" / "images" / "train800" / "000003.jpg"
            give_up = time.monotonic() + 60
            while not part.exists() and time.monotonic() < give_up:
                time.sleep(0.002)
            self.assertTrue(part.exists(), "the export did not begin")
            process.send_signal(signal_sent)
            self.assertNotEqual(0, process.wait(timeout=60))
            self.assertFalse((self.folder / "out" / "caltech101").exists())
        subprocess.run(self.export("--quiet"), check=True, timeout=300)
        self.assertEqual(["caltech101"], [entry.name for entry in (self.folder / "out").iterdir()])

    def test_progress_is_rewritten_on_a_terminal_and_plain_in_a_log(self):
        words = self.command("verify", "--task", "caltech101", "--data", DATA)
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("caltech101: 9144 examples: whole", done.stdout)
        lines = done.stderr.splitlines()
        self.assertEqual("caltech101: examples 9144/9144", lines[-1])
        self.assertLess(len(lines), 60)
        self.assertNotIn("\r", done.stderr)

        master, terminal = pty.openpty()
        process = subprocess.Popen(words, stderr=terminal, stdout=subprocess.PIPE)
        os.close(terminal)
        shown = b""
        while True:
            try:
                read = os.read(master, 4096)
            except OSError:
                break
            if not read:
                break
            shown += read
        self.assertEqual(0, process.wait(timeout=300))
        process.stdout.close()
        os.close(master)
        self.assertIn(b"\r\x1b[K", shown)
        self.assertTrue(shown.endswith(b"9144/9144\r\n"), shown[-80:])

    def test_quiet_is_quiet(self):
        done = subprocess.run(self.command("inspect", "--task", "caltech101", "--data", DATA, "--json", "--quiet"),
                              capture_output=True, text=True, timeout=300)
        self.assertEqual("", done.stderr)
        self.assertEqual(9144, sum(json.loads(done.stdout)["splits"][split]["examples"] for split in ("trainval", "test")))

    def test_no_temporary_folder_is_left(self):
        scratch = self.folder / "scratch"
        scratch.mkdir()
        subprocess.run(self.command("inspect", "--task", "caltech101", "--data", DATA, "--quiet"), check=True,
                       capture_output=True, timeout=300, env={**os.environ, "TMPDIR": str(scratch)})
        self.assertEqual([], list(scratch.iterdir()))


if __name__ == "__main__":
    unittest.main()
