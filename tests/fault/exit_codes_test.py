"""Clear errors with stable exit codes, each found before anything is computed."""

import os
import signal
import subprocess

from harness import BUSY, ENVIRONMENT, FAKE_SWEEP, MARQUEE, OUT_OF_TIME, SOME_FAILED, USAGE, FaultTest, main


class ExitCodes(FaultTest):
    def refused(self, code, *words, **how):
        """The sweep ends with `code`, names every word once on standard error, and leaves no process."""
        done = self.sweep(*how.pop("options", ()), **how)
        self.assert_exit(code, done)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(1, done.stderr.count("marquee: error:"), done.stderr)
        self.assertNotIn("MPI_ABORT", done.stderr)
        self.assert_no_process_left()
        return done

    def test_unknown_option_is_a_usage_error_with_the_nearest_name(self):
        self.refused(USAGE, "--worker", "did you mean", options=("--wrokers", "2"))

    def test_unknown_option_under_mpirun_is_told_once(self):
        # mpirun kills every rank when one fails: the one that speaks is heard even when it is late.
        for late in (0, 2):
            late_rank = f'[ "$OMPI_COMM_WORLD_RANK" = {late} ] && sleep 0.5; exec "$@"'
            done = subprocess.run(["mpirun", "--quiet", "--oversubscribe", "-n", "3", "sh", "-c", late_rank, "sh",
                                   *self.command("--wrokers", "2")],
                                  env={**self.environment(), "OMPI_ALLOW_RUN_AS_ROOT": "1",
                                       "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"},
                                  capture_output=True, text=True, timeout=60)
            self.assert_exit(USAGE, done)
            self.assertEqual(1, done.stderr.count("marquee: error:"), done.stderr)

    def test_unknown_key_in_the_sweep_file_names_line_and_nearest_key(self):
        self.sweep_file.write_text(FAKE_SWEEP.replace("method:", "methd:"))
        self.refused(USAGE, "small.yaml:", "methd", "did you mean 'method'")

    def test_missing_sweep_file(self):
        done = self.sweep(sweep_file=self.folder / "nowhere.yaml")
        self.assertIn(done.returncode, (USAGE, ENVIRONMENT), done.stderr)
        self.assertIn("nowhere.yaml", done.stderr)

    def test_missing_data_folder(self):
        self.refused(ENVIRONMENT, "no data folder", "nowhere", options=("--data", self.folder / "nowhere"))

    def test_data_folder_without_the_data_set(self):
        self.sweep_file.write_text(FAKE_SWEEP.replace("drawn/dsprites_location", "eurosat"))
        empty = self.folder / "empty"
        empty.mkdir()
        self.refused(ENVIRONMENT, "eurosat", options=("--data", empty))

    def test_corrupt_weights_name_the_file(self):
        weights = self.assets / "mini" / "transformer.safetensors"
        content = bytearray(weights.read_bytes())
        content[3] ^= 1
        weights.write_bytes(content)
        self.refused(ENVIRONMENT, "transformer.safetensors", "SHA-256")

    def test_missing_trainer_program(self):
        self.refused(ENVIRONMENT, "no trainer program", environment=self.environment(MARQUEE_TRAINER="/no/such"))

    def test_more_agents_than_slots_names_both_numbers_and_the_option(self):
        self.refused(USAGE, "3 agents", "2 slots", "--slots-per-host", workers=3)
        self.assertFalse((self.out / "ledger.sqlite").exists())

    def test_a_second_coordinator_is_busy_and_names_the_holder(self):
        first = self.start_sweep(environment=self.environment(FAKE_STEP_SECONDS=0.5))
        self.wait_for(lambda: len(self.trainers()) == 2, "the first sweep's trainers")
        holder = self.coordinator()
        second = self.sweep()
        self.assert_exit(BUSY, second)
        self.assertIn(str(holder), second.stderr)
        self.assertIsNone(first.poll(), "the first sweep was disturbed")
        self.assertEqual(0, first.wait(timeout=60), self.background_log())
        self.assert_no_process_left()

    def test_unknown_command_suggests_one(self):
        done = subprocess.run([MARQUEE, "sweeep"], capture_output=True, text=True, timeout=10)
        self.assert_exit(USAGE, done)
        self.assertIn("'sweep'", done.stderr)

    def test_hand_over_without_a_trainer(self):
        done = subprocess.run([MARQUEE, "sample"], env={**os.environ, "MARQUEE_TRAINER": "/no/such"},
                              capture_output=True, text=True, timeout=10)
        self.assert_exit(ENVIRONMENT, done)
        self.assertIn("/no/such", done.stderr)

    def test_dry_run_lists_runs_and_writes_nothing(self):
        done = self.sweep("--dry-run")
        self.assert_exit(0, done)
        self.assertIn("4 runs", done.stdout)
        self.assertFalse(self.out.exists())


SIMULATED = """\
name: simulated
oracles: false
defaults: {{samples: 8}}
matrix:
  task: [drawn/dsprites_location]
  shots: [5]
  method: [none]
  seed: [0, 1, 2, 3]
simulate: {{seconds: {seconds}, steps: 10{more}}}
"""
ASIDE = ", faults: [{fault: usage, match: {seed: [1, 2]}}]"


class Ends(FaultTest):
    """What can end a sweep, each with its exit code: 0 exactly when every run is done."""

    def end(self, code, *options, seconds=0.1, more="", disturb=None, workers=2):
        self.sweep_file = self.folder / "sweep.yaml"
        self.sweep_file.write_text(SIMULATED.format(seconds=seconds, more=more))
        process = self.start_sweep("--simulate", *options, workers=workers)
        if disturb:
            self.wait_for(lambda: self.records("done") and self.records("running"), "mid-sweep")
            disturb(self, process)
        self.assertEqual(code, process.wait(timeout=60), self.background_log())
        self.assert_no_process_left()
        self.assertEqual(code == 0, len(self.records("done")) == 4, f"exit code {code}")

    def disturbed(self, code, disturb):
        self.end(code, seconds=1.5, workers=1, disturb=disturb)

    def records(self, status):
        return {run for (run, _), record in self.attempts().items() if record["status"] == status}

    def all_done(self):
        self.end(0)
        self.end(0)  # all of them before

    def set_aside(self):
        self.end(SOME_FAILED, more=ASIDE)
        self.end(0)  # tried anew, and done

    def cancelled(self):
        self.disturbed(SOME_FAILED, lambda test, _: test.assert_exit(0, test.marquee("cancel", "--all")))
        self.end(SOME_FAILED)  # as before

    def max_fails(self):
        self.end(SOME_FAILED, "--max-fails", 1, more=ASIDE, workers=1)

    def a_crash_that_is_tried_again(self):
        self.end(0, more=", faults: [{fault: crash, attempts: [1]}]")

    def time_limit(self):
        self.end(OUT_OF_TIME, "--time-limit", 3, "--time-margin", 0.5, seconds=1.2, workers=1)
        self.end(ENVIRONMENT, "--time-limit", 0.2, "--time-margin", 0.1, seconds=1)  # no time for any

    def sigterm(self):
        self.disturbed(128 + signal.SIGTERM, lambda test, process: process.terminate())

    def sigint(self):
        self.disturbed(128 + signal.SIGINT, lambda test, process: process.send_signal(signal.SIGINT))

    def killed_coordinator(self):
        self.disturbed(128 + signal.SIGKILL, lambda test, _: os.kill(test.coordinator(), signal.SIGKILL))

    def killed_agent(self):
        self.disturbed(128 + signal.SIGKILL, lambda test, _: os.kill(test.agents()[0], signal.SIGKILL))

    def killed_mpirun(self):
        self.disturbed(ENVIRONMENT, lambda test, _: os.kill(test.mpirun()[0], signal.SIGKILL))

    def killed_command(self):
        self.disturbed(-signal.SIGKILL, lambda test, process: process.kill())

    def test_exit_code_is_0_exactly_when_every_run_is_done(self):
        ends = ("all_done", "set_aside", "cancelled", "max_fails", "a_crash_that_is_tried_again", "time_limit", "sigterm", "sigint",
                "killed_coordinator", "killed_agent", "killed_mpirun", "killed_command")
        self.repeat("exit status is honest", "ways to end a sweep", ends, lambda test, end: getattr(Ends, end)(test),
                    at_once=2)


if __name__ == "__main__":
    main()
