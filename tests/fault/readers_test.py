"""Twenty readers of results.sqlite while a sweep writes, one of them stopped (SIGSTOP) inside a transaction: the
sweep neither fails nor stalls, publications come in their interval, and every reader sees a whole database."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest

from harness import FaultTest, tell_soak

READERS = 20
RUNS = 400
PUBLISH_SECONDS = 2.0  # orchestrator/sweep/timing.h: or 50 times the last copy's duration, milliseconds here
STALL_SECONDS = 30.0   # more than a busy machine makes of that

SWEEP = """\
name: simulated
oracles: false
defaults: {{samples: 8}}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [none]
  seed: [{seeds}]
simulate: {{seconds: 0.05, files: false}}
"""

# Reads again and again until the file `stop` is there; then says how often, and what it saw last.
READER = """\
import json, os, sqlite3, sys, time
path, stop = sys.argv[1:]
reads, done = 0, 0
while not os.path.exists(stop):
    database = sqlite3.connect("file:" + path + "?mode=ro", uri=True)
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "not sound"
    now = database.execute("SELECT count(*) FROM results WHERE status = 'done'").fetchone()[0]
    assert now >= done, "went back"
    reads, done = reads + 1, now
    database.close()
    time.sleep(0.2)
print(json.dumps({"reads": reads, "done": done}))
"""

# Opens a transaction, says so, and after a word on standard input looks at the same snapshot again.
HOLDER = """\
import sqlite3, sys
database = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True, isolation_level=None)
database.execute("BEGIN")
count = "SELECT count(*) FROM results WHERE status = 'done'"
first = database.execute(count).fetchone()
print("holding", flush=True)
sys.stdin.readline()
assert database.execute(count).fetchone() == first, "the snapshot changed"
assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "not sound"
print("same", flush=True)
"""


class Readers(FaultTest):
    def start(self, program, *arguments, **how):
        process = subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], env=self.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_do_not_disturb_the_writer(self):
        self.sweep_file.write_text(SWEEP.format(seeds=", ".join(map(str, range(RUNS)))))
        sweep = self.start_sweep("--simulate")
        published = self.out / "results.sqlite"
        self.wait_for(published.exists, "the first publication")
        stop = self.folder / "stop"
        holder = self.start(HOLDER, published, stdin=subprocess.PIPE)
        self.assertEqual("holding", holder.stdout.readline().strip())
        os.kill(holder.pid, signal.SIGSTOP)
        readers = [self.start(READER, published, stop) for _ in range(READERS - 1)]

        times, last = [time.monotonic()], published.stat().st_ino
        while sweep.poll() is None:
            self.assertLess(time.monotonic() - times[0], 300, "the sweep stalls")
            inode = published.stat().st_ino
            if inode != last:
                times.append(time.monotonic())
                last = inode
            time.sleep(0.02)
        self.assertEqual(0, sweep.returncode, self.background_log())
        self.assertNotRegex(self.background_log(), r"marquee: error|(warning|error) \[")
        self.assertEqual({"done": RUNS}, self.statuses())

        stop.touch()
        for reader in readers:
            out, err = reader.communicate(timeout=60)
            self.assertEqual(0, reader.returncode, err)
            self.assertGreater(json.loads(out)["reads"], 0)
        os.kill(holder.pid, signal.SIGCONT)
        out, err = holder.communicate("go on\n", timeout=60)
        self.assertEqual("same", out.strip(), err)

        self.assertGreaterEqual(len(times), 4, "too few publications to tell")
        gaps = [after - before for before, after in zip(times, times[1:])]
        self.assertLess(max(gaps), STALL_SECONDS, gaps)
        self.assertGreater(min(gaps[:-1]), PUBLISH_SECONDS / 2, f"published too often: {gaps}")  # the last ends the sweep
        self.assertEqual([], [path.name for path in self.out.glob("results.sqlite-*")])
        tell_soak("queries never stall a sweep", READERS, "readers", 0)
        self.assert_no_process_left()


if __name__ == "__main__":
    unittest.main()
