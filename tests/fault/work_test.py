"""Workers that share a sweep through files (`marquee work`): each run is computed once, whoever is killed when; a
coordinator and workers keep out of each other's way; what fails too often is set aside for all of them; the exit code
says how it ended. No-op trainers."""

import json
import os
import signal
import subprocess
import time
import unittest

from harness import BUSY, MARQUEE, SOME_FAILED, FaultTest

SWEEP = """\
name: simulated
oracles: false
defaults: {{samples: 8}}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [prompt, none]
  seed: [0, 1, 2, 3]
subsets:
  one: {{method: none, seed: 0}}
simulate: {{seconds: {seconds}, steps: 10, checkpoints: 1{more}}}
"""
OUT_OF_TIME = 124


class Work(FaultTest):
    def write(self, seconds=0.3, more=""):
        self.sweep_file.write_text(SWEEP.format(seconds=seconds, more=more))

    def undisturbed(self):
        out = self.folder / "undisturbed"
        self.write(0)
        self.assert_exit(0, self.sweep("--simulate", out=out))
        return self.sound_rows(out)

    def worker(self, *words, out=None, **variables):
        log = open(self.folder / "background.log", "ab")
        self.addCleanup(log.close)
        process = subprocess.Popen([str(MARQUEE), "work", str(self.sweep_file), "--out", str(out or self.out),
                                    "--simulate", *map(str, words)], stdout=log, stderr=log,
                                   env=self.environment(**variables))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def codes(self, *workers, timeout=60):
        return [worker.wait(timeout=timeout) for worker in workers]

    def running(self):
        return [key for key, record in self.attempts().items() if record["status"] == "running"]

    def test_any_number_shares_a_sweep_and_the_dead_cost_their_own_attempt(self):
        expected = self.undisturbed()
        self.write()
        self.assertEqual([0] * 4, self.codes(*[self.worker() for _ in range(4)]), self.background_log())
        self.assertEqual(expected, self.sound_rows(self.out))
        self.assertEqual({1}, {attempt for _, attempt in self.attempts()}, "a run was begun twice")
        self.assertEqual([], list((self.out / "inbox").iterdir()))
        with self.subTest("one is killed"):
            self.out = self.folder / "killed"
            self.write(1)
            workers = [self.worker() for _ in range(3)]
            self.wait_for(lambda: len(self.running()) == 3, "three runs at once")
            before = set(self.running())
            told = json.loads(self.marquee("status", "--json").stdout)
            self.assertEqual({run for run, _ in before}, {worker["run_id"] for worker in told["workers"]})
            self.assertEqual({worker.pid for worker in workers}, {worker["pid"] for worker in told["workers"]})
            os.kill(workers[0].pid, signal.SIGKILL)
            self.assertEqual([-9, 0, 0], self.codes(*workers), self.background_log())
            self.assertEqual(expected, self.sound_rows(self.out))
            lost = set(self.running())
            self.assertEqual(1, len(lost), "more than the attempt of the killed one was lost")
            self.assertLess(lost, before)
            self.assertEqual(len(expected[2]) + 1, len(self.attempts()))
        self.assert_no_process_left()

    def test_killed_at_any_point_the_same_command_goes_on(self):
        expected = self.undisturbed()
        for name in ("worker.claimed", "worker.sealed", "worker.sealed:3", "worker.handed_in", "agent.sealed",
                     "coordinator.inbox_read", "coordinator.inbox_taken", "trainer.sealed", "file.renamed:4"):
            with self.subTest(name):
                self.out, once = self.folder / name, self.folder / f"{name}.once"
                self.write(0)
                worker = self.worker(MARQUEE_FAILPOINT=name, MARQUEE_FAILPOINT_ONCE=once)
                self.codes(worker)
                self.assertTrue(once.exists(), f"no process passed {name}")
                self.assertEqual([0, 0], self.codes(self.worker(), self.worker()), self.background_log())
                self.assertEqual(expected, self.sound_rows(self.out))
        self.assert_no_process_left()

    def test_a_stop_is_graceful_and_the_time_limit_is_kept(self):
        expected = self.undisturbed()
        self.write(2)
        workers = [self.worker(), self.worker("--time-limit", 3, "--time-margin", 2)]
        self.wait_for(lambda: len(self.running()) == 2, "two runs at once")
        workers[0].send_signal(signal.SIGTERM)
        self.assertEqual([128 + signal.SIGTERM, OUT_OF_TIME], self.codes(*workers), self.background_log())
        self.assertEqual({"interrupted"}, {record["status"] for record in self.attempts().values()})
        self.write(0)
        self.assertEqual([0], self.codes(self.worker()))
        self.assertEqual(expected, self.sound_rows(self.out))

    def test_what_fails_too_often_is_set_aside_for_all(self):
        self.write(0.1, ", faults: [{fault: crash, match: {method: none, seed: 2}}]")
        since = "2026-01-01T00:00:00.000Z"
        codes = self.codes(*[self.worker("--since", since, "--json") for _ in range(3)])
        self.assertEqual([SOME_FAILED] * 3, codes, self.background_log())
        self.assertEqual({"done": 7, "failed": 1}, self.statuses())
        self.assertEqual(3, sum(record["status"] == "failed" for record in self.attempts().values()))
        self.assertEqual([("crash",)], self.rows("SELECT DISTINCT cause_kind FROM attempts WHERE status = 'failed'"))
        self.assertEqual([SOME_FAILED], self.codes(self.worker("--since", since)), "nothing is left to be tried")
        summaries = [json.loads(line) for line in self.background_log().splitlines() if line.startswith("{")]
        self.assertEqual(7, sum(summary["done_here"] for summary in summaries))

    def test_who_finds_nothing_left_waits_unless_told_to_leave_the_rest(self):
        expected = self.undisturbed()
        self.write(2)
        first = self.worker("--subset", "one")
        self.wait_for(self.running, "a run")
        leaves, waits = self.worker("--subset", "one", "--leave-rest"), self.worker("--subset", "one")
        self.assertEqual([0], self.codes(leaves), self.background_log())
        self.assertIsNone(first.poll(), "nothing was left to leave")
        self.assertNotIn("done", self.statuses())
        first.kill()
        self.assertEqual([-9, 0], self.codes(first, waits), self.background_log())  # 0: it did the work of the dead
        self.assertEqual(1, self.statuses()["done"])
        self.write(0)
        self.assertEqual([0], self.codes(self.worker()))
        self.assertEqual(expected, self.sound_rows(self.out))

    def test_a_coordinator_and_workers_keep_out_of_each_others_way(self):
        expected = self.undisturbed()
        self.write(2)
        worker = self.worker()
        self.wait_for(self.running, "a run")
        refused = self.sweep("--simulate")
        self.assert_exit(BUSY, refused)
        self.assertIn(f"process {worker.pid} on host", refused.stderr)
        self.assertIn("marquee work", refused.stderr)
        worker.terminate()
        worker.wait(timeout=30)
        sweep = self.start_sweep("--simulate")
        self.wait_for(lambda: len(self.running()) == 2, "the sweep's runs")
        late = self.worker()
        self.assertEqual([BUSY], self.codes(late), self.background_log())
        self.assertIn("the coordinator of a sweep", self.background_log())
        self.assertEqual(0, sweep.wait(timeout=60), self.background_log())
        self.assertEqual(expected, self.sound_rows(self.out))

    def test_a_claim_that_another_host_left_behind_is_taken_over(self):
        expected = self.undisturbed()
        self.write(0)
        self.assertEqual([0], self.codes(self.worker(out=self.folder / "other")))
        claim = next((self.folder / "other" / "claims").glob("?" * 64))
        record = json.loads(claim.read_text())
        record.update(host="elsewhere.invalid", released=False)
        (self.out / "claims").mkdir(parents=True)
        (self.out / "claims" / claim.name).write_text(json.dumps(record))
        began = time.monotonic()
        self.assertEqual([0], self.codes(self.worker(MARQUEE_LEASE="10:14")), self.background_log())
        self.assertGreater(time.monotonic() - began, 9.5, "taken over before it had stood still")
        self.assertEqual(expected, self.sound_rows(self.out))
        self.assertEqual(2, json.loads((self.out / "claims" / claim.name).read_text())["epoch"])


if __name__ == "__main__":
    unittest.main()
