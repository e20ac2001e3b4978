"""`marquee doctor --rebuild`: the ledger from the run folders. Fake and no-op trainers."""

import json
import os
import signal

from harness import BUSY, SOME_FAILED, FaultTest, main


class Rebuild(FaultTest):
    def everything(self):
        return [self.rows(sql) for sql in (
            "SELECT * FROM results ORDER BY run_id", "SELECT * FROM metrics ORDER BY run_id, metric",
            "SELECT run_id, attempt, epoch, status, started, ended, host, slot, cause_kind, cause_message, exit_code, "
            "signal, log_tail, trainable_parameters, seconds, result_sha256, prompt_sha256, tokens_sha256, "
            "class_prior, fingerprint, provenance FROM attempts ORDER BY 1, 2",
            "SELECT * FROM sweep_runs ORDER BY 1, 2", "SELECT sweep, file FROM sweeps")]

    def lose_the_ledger(self):
        lost = list(self.out.glob("ledger.sqlite*"))
        self.assertTrue(lost)
        for path in lost:
            path.unlink()

    def test_a_lost_ledger(self):
        done = self.sweep(environment=self.environment(FAKE="crash", FAKE_METHOD="prompt"))
        self.assert_exit(SOME_FAILED, done)
        before = self.everything()
        self.assertEqual({"done": 2, "failed": 2}, self.statuses())
        self.lose_the_ledger()
        rebuilt = self.marquee("doctor", "--rebuild", "--json")
        self.assert_exit(0, rebuilt)
        self.assertEqual((4, 8, 0), tuple(json.loads(rebuilt.stdout)[key] for key in ("runs", "attempts", "skipped")))
        self.assertEqual(before, self.everything())
        again = self.sweep()
        self.assert_exit(0, again)
        self.assertIn("2 of them done before", again.stderr)
        self.assertEqual({"done": 4}, self.statuses())

    def test_a_ledger_that_is_lost_with_everything_killed(self):
        process = self.start_sweep(environment=self.environment(FAKE_STEP_SECONDS=0.15))
        self.wait_for(lambda: any(record["status"] == "done" for record in self.attempts().values()), "a result")
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        process.wait(timeout=30)
        self.assert_no_process_left()
        sealed = {run for (run, _), record in self.attempts().items() if record["status"] == "done"}
        self.lose_the_ledger()
        (self.out / "results.sqlite").unlink(missing_ok=True)
        self.assert_exit(0, self.marquee("doctor", "--rebuild"))
        self.assertEqual(sealed, {run for (run,) in self.rows("SELECT run_id FROM runs WHERE status = 'done'")})
        self.assert_exit(0, self.sweep())
        self.assertEqual({"done": 4}, self.statuses())
        self.assertEqual([], self.rows("SELECT run_id FROM attempts WHERE status = 'done' GROUP BY run_id "
                                       "HAVING count(*) > 1"))

    def test_not_while_a_sweep_runs(self):
        process = self.start_sweep(environment=self.environment(FAKE_STEP_SECONDS=0.3))
        self.wait_for(lambda: len(self.trainers()) == 2, "the trainers")
        refused = self.marquee("doctor", "--rebuild")
        self.assert_exit(BUSY, refused)
        self.assertEqual(0, process.wait(timeout=60), self.background_log())
        self.assertEqual({"done": 4}, self.statuses())


if __name__ == "__main__":
    main()
