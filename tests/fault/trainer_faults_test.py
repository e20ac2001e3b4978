"""A trainer that misbehaves is an event, not the end of the sweep: fake trainers that crash, hang, talk
nonsense or report failures."""

import collections
import os
import signal
import subprocess
import time

from harness import MARQUEE, SOME_FAILED, FaultTest, main


class TrainerFaults(FaultTest):
    def causes(self, status="failed"):
        return [record["cause"] for record in self.attempts().values() if record["status"] == status]

    def attempts_by_run(self):
        return collections.Counter(run_id for run_id, _ in self.attempts())

    def test_a_healthy_sweep_ends_with_0_and_a_table(self):
        done = self.sweep()
        self.assert_exit(0, done)
        self.assertEqual({"done": 4}, self.statuses())
        self.assertTrue(done.stdout.strip(), "no comparison table")
        self.assert_no_process_left()

    def test_a_finished_sweep_is_not_computed_again(self):
        self.assert_exit(0, self.sweep())
        before = self.metric_rows()
        again = self.sweep()
        self.assert_exit(0, again)
        self.assertIn("4 of them done before", again.stderr)
        self.assertEqual(before, self.metric_rows())
        self.assertEqual({1}, set(self.attempts_by_run().values()))

    def test_a_crash_once_is_tried_again(self):
        self.assert_exit(0, self.sweep(environment=self.environment(FAKE="crash", FAKE_TIMES=1)))
        self.assertEqual({"done": 4}, self.statuses())
        causes = self.causes()
        self.assertEqual(4, len(causes))
        for cause in causes:
            self.assertEqual("crash", cause["kind"])
            self.assertEqual(signal.SIGSEGV, cause["signal"])
            self.assertIn("last words", cause["log_tail"])

    def test_an_exit_code_is_kept_as_the_cause(self):
        self.assert_exit(0, self.sweep(environment=self.environment(FAKE="exit", FAKE_TIMES=1)))
        self.assertEqual({9}, {cause["exit_code"] for cause in self.causes()})

    def test_a_run_that_keeps_crashing_is_set_aside_after_three_attempts(self):
        done = self.sweep(environment=self.environment(FAKE="crash", FAKE_METHOD="prompt"))
        self.assert_exit(SOME_FAILED, done)
        self.assertEqual({"done": 2, "failed": 2}, self.statuses())
        self.assertEqual([1, 1, 3, 3], sorted(self.attempts_by_run().values()))

    def test_a_hanging_trainer_is_killed_at_its_deadline(self):
        started = time.monotonic()
        done = self.sweep(environment=self.environment(FAKE="hang", FAKE_TIMES=1, FAKE_METHOD="prompt"))
        self.assert_exit(0, done)
        self.assertLess(time.monotonic() - started, 60)
        self.assertEqual({"deadline"}, {cause["kind"] for cause in self.causes()})
        self.assert_no_process_left()

    def test_garbage_oversize_and_torn_frames_are_protocol_failures(self):
        for fault in ("garbage", "oversize", "ill_typed"):
            with self.subTest(fault):
                self.out = self.folder / fault
                self.assert_exit(0, self.sweep(environment=self.environment(FAKE=fault, FAKE_TIMES=1)))
                self.assertEqual({"protocol"}, {cause["kind"] for cause in self.causes()})
                self.assertEqual({"done": 4}, self.statuses())

    def test_done_without_a_sealed_result_is_not_believed(self):
        done = self.sweep(environment=self.environment(FAKE="unsealed", FAKE_METHOD="none"))
        self.assert_exit(SOME_FAILED, done)
        self.assertEqual({"done": 2, "failed": 2}, self.statuses())

    def test_a_record_of_an_older_epoch_is_not_believed(self):
        self.assert_exit(0, self.sweep(environment=self.environment(FAKE="older_epoch", FAKE_TIMES=1)))
        self.assertEqual({"done": 4}, self.statuses())
        self.assertEqual(["protocol"] * 4, [cause["kind"] for cause in self.causes()])

    def test_messages_about_another_attempt_are_refused(self):
        self.assert_exit(0, self.sweep(environment=self.environment(FAKE="stale", FAKE_TIMES=1)))
        self.assertEqual({"done": 4}, self.statuses())
        self.assertEqual([], self.causes())

    def test_a_usage_failure_is_not_repeated(self):
        done = self.sweep(environment=self.environment(FAKE="fail_usage", FAKE_METHOD="prompt"))
        self.assert_exit(SOME_FAILED, done)
        self.assertEqual({"usage"}, {cause["kind"] for cause in self.causes()})
        self.assertEqual({1}, set(self.attempts_by_run().values()))

    def test_an_environment_failure_is_repeated_once(self):
        done = self.sweep(environment=self.environment(FAKE="fail_environment", FAKE_METHOD="prompt"))
        self.assert_exit(SOME_FAILED, done)
        self.assertEqual([1, 1, 2, 2], sorted(self.attempts_by_run().values()))
        self.assertIn("the disk is full", done.stderr)

    def test_failed_runs_are_tried_anew_by_the_next_command(self):
        self.assert_exit(SOME_FAILED, self.sweep(environment=self.environment(FAKE="fail_usage")))
        self.assertEqual({"failed": 4}, self.statuses())
        self.assert_exit(0, self.sweep())
        self.assertEqual({"done": 4}, self.statuses())

    def test_trainers_get_separate_cores_and_no_mpi_variables(self):
        self.assert_exit(0, self.sweep())
        facts = [record["result"]["provenance"] for record in self.attempts().values()]
        self.assertEqual({False}, {fact["saw_mpi"] for fact in facts})
        self.assertEqual({"1"}, {fact["omp_num_threads"] for fact in facts})
        cores = {fact["pid"]: tuple(fact["cpus"]) for fact in facts}
        self.assertEqual({1}, {len(cpus) for cpus in cores.values()})
        if len(os.sched_getaffinity(0)) >= 2 and len(cores) == 2:
            self.assertEqual(2, len(set(cores.values())), cores)

    def test_a_trainer_stays_from_run_to_run(self):
        self.assert_exit(0, self.sweep(workers=1))
        pids = {record["result"]["provenance"]["pid"] for record in self.attempts().values()}
        self.assertEqual(1, len(pids))

    def test_query_and_status_answer(self):
        self.assert_exit(0, self.sweep())
        query = subprocess.run([MARQUEE, "query", "--out", self.out, "--format", "csv",
                                "SELECT method, count(*) AS n FROM results GROUP BY method ORDER BY method"],
                               capture_output=True, text=True, timeout=20)
        self.assert_exit(0, query)
        self.assertEqual(["method,n", "none,2", "prompt,2"], query.stdout.split())
        status = subprocess.run([MARQUEE, "status", "--out", self.out, "--json"],
                                capture_output=True, text=True, timeout=20)
        self.assert_exit(0, status)
        self.assertIn('"done":4', status.stdout.replace(" ", ""))


if __name__ == "__main__":
    main()
