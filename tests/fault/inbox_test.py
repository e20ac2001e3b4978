"""What others hand in through results/inbox/ while somebody holds the folder, written here as docs/file-formats.md
says: SIGKILL between reading an entry and the commit, and between the commit and the removal, loses nothing and
counts nothing twice. No-op trainers."""

import json
import shutil
import signal

from harness import SOME_FAILED, FaultTest, main

SWEEP = """\
name: simulated
oracles: false
defaults: {{samples: 8}}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt]
  seed: {seeds}
simulate: {{seconds: {seconds}, steps: 4}}
"""


class Inbox(FaultTest):
    def setUp(self):
        super().setUp()
        # A run of no sweep here, computed elsewhere.
        self.sweep_file.write_text(SWEEP.format(seeds="[77]", seconds=0))
        elsewhere = self.folder / "elsewhere"
        self.assert_exit(0, self.sweep("--simulate", out=elsewhere, workers=1))
        self.foreign = next((elsewhere / "runs").iterdir())
        # The runs of the sweep itself.
        self.write_sweep(seconds=0)
        listed = self.sweep("--simulate", "--dry-run", "--json")
        self.assert_exit(0, listed)
        self.runs = {run["run"]["seed"]: run["run_id"] for run in json.loads(listed.stdout)["runs"]}

    def write_sweep(self, seconds):
        self.sweep_file.write_text(SWEEP.format(seeds="[0, 1, 2, 3]", seconds=seconds))

    def put(self, out, name, text):
        inbox = out / "inbox"
        inbox.mkdir(parents=True, exist_ok=True)
        (inbox / f".{name}.tmp-1").write_text(text)
        (inbox / f".{name}.tmp-1").rename(inbox / name)

    def entry(self, **more):
        return json.dumps({"marquee_inbox": 1, "epoch": 0, "made": "2026-01-01T00:00:00.000Z", "host": "elsewhere",
                           **more})

    def hand_in(self, out):
        """A finished attempt, a cancellation and something broken."""
        shutil.copytree(self.foreign, out / "runs" / self.foreign.name)
        self.put(out, "1.json", self.entry(kind="attempt", runs=[self.foreign.name], attempt=1))
        self.put(out, "2.json", self.entry(kind="cancel", runs=[self.runs[1]]))
        self.put(out, "3.json", self.entry(kind="cancel", runs=[self.runs[2]])[:-9])

    def state(self, out):
        """All that must be the same however often the holder was killed."""
        self.assertEqual([("ok",)], self.rows("PRAGMA integrity_check", out))
        self.assertEqual(["refused"], [path.name for path in (out / "inbox").iterdir()])
        self.assertEqual(["3.json"], [path.name for path in (out / "inbox" / "refused").iterdir()])
        return (self.rows("SELECT run_id, seed, status, attempt, fid_mini FROM results ORDER BY run_id", out),
                self.rows("SELECT run_id, metric, value FROM metrics ORDER BY 1, 2", out),
                self.rows("SELECT run_id, attempt, status FROM attempts WHERE status = 'done' ORDER BY 1, 2", out),
                self.rows("SELECT request, kind FROM requests ORDER BY 1", out),
                self.rows("SELECT kind, run_id, count(*) FROM events WHERE kind IN ('cancelled', 'inbox_refused') "
                          "GROUP BY 1, 2 ORDER BY 1", out))

    def test_entries_that_wait_at_the_start(self):
        expected_out = self.folder / "undisturbed"
        self.hand_in(expected_out)
        self.assert_exit(SOME_FAILED, self.sweep("--simulate", out=expected_out))  # one is cancelled
        expected = self.state(expected_out)
        self.assertEqual({(0, "done"), (1, "cancelled"), (2, "done"), (3, "done"), (77, "done")},
                         {row[1:3] for row in expected[0]})
        self.assertEqual([("1.json", "attempt"), ("2.json", "cancel"), ("3.json", "refused")], expected[3])
        self.assertEqual([("cancelled", self.runs[1], 1), ("inbox_refused", None, 1)], expected[4])
        for name in ("coordinator.inbox_read", "coordinator.inbox_taken"):
            with self.subTest(name):
                out, once = self.folder / name, self.folder / f"{name}.once"
                self.hand_in(out)
                self.sweep("--simulate", out=out, environment=self.environment(
                    MARQUEE_FAILPOINT=name, MARQUEE_FAILPOINT_ONCE=once))
                self.assertTrue(once.exists(), f"no process passed {name}")
                self.assertTrue((out / "inbox" / "2.json").exists(), "removed before it was over")
                self.assert_no_process_left()
                self.assert_exit(SOME_FAILED, self.sweep("--simulate", out=out))
                self.assertEqual(expected, self.state(out))
                self.assert_no_process_left()

    def test_entries_that_come_while_the_sweep_runs(self):
        for name in (None, "coordinator.inbox_read", "coordinator.inbox_taken"):
            with self.subTest(name):
                out, once = self.folder / f"live-{name}", self.folder / f"live-{name}.once"
                chosen = {} if name is None else {"MARQUEE_FAILPOINT": name, "MARQUEE_FAILPOINT_ONCE": once}
                # No trainer finishes before it is told, or killed: mpirun takes two seconds over that.
                self.write_sweep(seconds=4 if name is None else 30)
                process = self.start_sweep("--simulate", out=out, environment=self.environment(**chosen))
                self.wait_for(lambda: list(out.glob("runs/*/attempt-*/attempt.json")), "the first attempts")
                self.hand_in(out)
                code = process.wait(timeout=60)
                if name is None:
                    self.assertEqual(SOME_FAILED, code, self.background_log())
                else:
                    self.assertTrue(once.exists(), f"no process passed {name}")
                    self.assert_no_process_left()
                    self.write_sweep(seconds=0)
                    self.assert_exit(SOME_FAILED, self.sweep("--simulate", out=out))
                status = {row[1]: row[2] for row in self.state(out)[0]}
                self.assertEqual({0: "done", 2: "done", 3: "done", 77: "done"},
                                 {seed: value for seed, value in status.items() if seed != 1})
                self.assertEqual("cancelled", status[1])
                self.assertEqual([(self.foreign.name, 1)], self.rows(
                    "SELECT run_id, count(*) FROM attempts WHERE run_id = '%s' GROUP BY 1" % self.foreign.name, out))
                self.assert_no_process_left()

    def test_a_command_that_is_killed_leaves_its_request_or_nothing(self):
        self.assert_exit(0, self.sweep("--simulate"))
        for name in ("file.written", "file.synced", "file.renamed", "coordinator.inbox_read",
                     "coordinator.inbox_taken"):
            with self.subTest(name):
                out = self.folder / f"short-{name}"
                shutil.copytree(self.out, out)
                self.put(out, "1.json", self.entry(kind="rerun", runs=[self.runs[0]]))
                once = self.folder / f"short-{name}.once"
                done = self.marquee("cancel", self.runs[3], out=out, environment=self.environment(
                    MARQUEE_FAILPOINT=name, MARQUEE_FAILPOINT_ONCE=once))
                self.assertEqual(-signal.SIGKILL, done.returncode, done.stderr)
                self.assert_exit(0, self.sweep("--simulate", out=out))
                self.assertEqual([(2,)], self.rows("SELECT max(attempt) FROM attempts WHERE run_id = '%s' AND "
                                                   "status = 'done'" % self.runs[0], out))
                self.assertEqual([(5,)], self.rows("SELECT count(*) FROM attempts WHERE status = 'done'", out))


if __name__ == "__main__":
    main()
