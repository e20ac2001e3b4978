"""Clear errors with stable exit codes, each found before anything is computed."""

import os
import subprocess
import unittest

from harness import BUSY, ENVIRONMENT, FAKE_SWEEP, MARQUEE, USAGE, FaultTest


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


if __name__ == "__main__":
    unittest.main()
