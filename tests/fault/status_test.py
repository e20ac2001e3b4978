"""`marquee status` while a sweep runs and after, stuck runs, and what a sweep prints. No-op trainers."""

import json
import os
import pty
import re
import signal
import subprocess

from harness import FaultTest, main

SWEEP = """\
name: simulated
oracles: false
defaults: {samples: 8}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt]
  seed: [0, 1, 2, 3, 4, 5]
simulate: {seconds: SECONDS, steps: 20, deadline_seconds: 2, faults: [{fault: usage, match: {seed: 5}}]}
"""


class Status(FaultTest):
    def setUp(self):
        super().setUp()
        self.write_sweep(2)

    def write_sweep(self, seconds):
        self.sweep_file.write_text(SWEEP.replace("SECONDS", str(seconds)))

    def status(self):
        if not (self.out / "results.sqlite").exists():
            return None
        done = self.marquee("status", "--json")
        self.assert_exit(0, done)
        return json.loads(done.stdout)

    def seen(self, condition, what):
        def look():
            status = self.status()
            return status if status and condition(status) else None
        return self.wait_for(look, what)

    def test_a_running_sweep_and_its_end(self):
        self.write_sweep(4)  # a machine that is busy publishes seldom
        process = self.start_sweep("--simulate")
        status = self.seen(lambda s: any(slot["phase"] == "tune" and slot["step"] > 3 for slot in s["slots"])
                           and s["coordinator"]["runs_per_hour"], "progress of a slot")
        coordinator = status["coordinator"]
        self.assertEqual(("running", "simulated", 2, self.coordinator()),
                         tuple(coordinator[key] for key in ("state", "sweep", "workers", "pid")))
        self.assertGreater(coordinator["seconds_left"], 0)
        self.assertEqual(2, len(status["slots"]))
        busy = [slot for slot in status["slots"] if slot["run_id"]][0]
        self.assertEqual(("drawn/dsprites_location", "prompt", 20, 1),
                         tuple(busy[key] for key in ("task", "method", "total", "attempt")))
        self.assertEqual([], status["stuck"])
        told = self.marquee("status").stdout
        self.assertIn("runs/h", told)
        self.assertRegex(told, r"tune \d+/20")
        self.assert_exit(0, self.marquee("status", "--watch", timeout=60))  # ends with the sweep
        self.assertEqual(1, process.wait(timeout=30), self.background_log())
        status = self.status()
        self.assertEqual({"sweep": "simulated", "runs": 6, "done": 5, "failed": 1}, status["sweeps"][0])
        self.assertEqual("ended", status["coordinator"]["state"])
        self.assertEqual([], status["slots"])
        self.assertEqual(["usage"], [failure["cause"] for failure in status["failures"]])
        self.assertIn("simulated usage failure", self.marquee("status").stdout)

    def test_a_run_is_stuck_when_its_progress_is_overdue(self):
        self.write_sweep(6)
        process = self.start_sweep("--simulate")
        self.seen(lambda s: all(slot["phase"] == "tune" for slot in s["slots"]) and s["slots"], "progress")
        agent = self.agents()[0]
        os.kill(agent, signal.SIGSTOP)
        status = self.seen(lambda s: s["stuck"], "a stuck run")
        self.assertEqual(1, len(status["stuck"]), status)
        self.assertIn("the next was due", self.marquee("status").stdout)
        os.kill(agent, signal.SIGCONT)
        self.seen(lambda s: not s["stuck"], "the run to go on")
        process.terminate()
        self.assertEqual(128 + signal.SIGTERM, process.wait(timeout=30), self.background_log())
        self.assert_no_process_left()

    def test_a_sweep_prints_plain_lines_where_there_is_no_terminal(self):
        self.write_sweep(0.5)
        done = self.sweep("--simulate", "--json")
        lines = [line for line in done.stderr.splitlines() if re.match(r"\d+/6 done", line)]
        self.assertGreaterEqual(len(lines), 1, done.stderr)
        self.assertLessEqual(len(lines), 3, done.stderr)
        self.assertNotIn("\r", done.stderr)
        summary = json.loads(done.stdout)
        self.assertEqual((6, 5, 1, 0), tuple(summary[key] for key in ("total", "done", "failed", "cancelled")))
        quiet = self.sweep("--simulate", "--quiet", out=self.folder / "quiet")
        self.assertNotIn("6 done", quiet.stderr)
        self.assertNotIn("results in", quiet.stderr)

    def test_a_sweep_rewrites_its_line_on_a_terminal(self):
        self.write_sweep(0.5)
        ours, theirs = pty.openpty()
        process = subprocess.Popen(self.command("--simulate"), env=self.environment(), stdout=subprocess.DEVNULL,
                                   stderr=theirs)
        os.close(theirs)
        text = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                break
            if not part:
                break
            text += part
        os.close(ours)
        self.assertEqual(1, process.wait(timeout=60), text)
        self.assertGreater(text.count(b"\r\x1b[K"), 5, text)
        self.assertIn(b"running on 2 workers", text)
        self.assert_no_process_left()


if __name__ == "__main__":
    main()
