"""The sync of the ledger's log fails (the shim lets it): the sweep stops with exit code 3 and names the file, nothing
is told or published that was not durable, and the next start goes on. The log is synced beside the coordinator's other
work, so the error comes late; it must not get lost."""


from harness import BIN, ENVIRONMENT, FaultTest, main

SHIM = BIN / "libstorage_shim.so"

SWEEP = """\
name: simulated
oracles: false
defaults: {samples: 8}
matrix:
  task: [drawn/dsprites_location, drawn/shapes_count]
  shots: [5]
  method: [prompt, none]
  seed: [0, 1, 2]
simulate: {steps: 1}
"""


class LedgerSync(FaultTest):
    def setUp(self):
        super().setUp()
        if not SHIM.exists():
            self.skipTest(f"{SHIM} is not built")
        self.sweep_file.write_text(SWEEP)

    def test_a_failed_sync_stops_the_sweep_and_loses_nothing(self):
        undisturbed = self.folder / "undisturbed"
        self.assert_exit(0, self.sweep("--simulate", out=undisturbed))
        struck = 0
        for number in (1, 2, 3, 5, 8):
            with self.subTest(sync=number):
                out, fired = self.folder / f"results-{number}", self.folder / f"fired-{number}"
                done = self.sweep("--simulate", out=out, environment=self.environment(
                    LD_PRELOAD=SHIM, MARQUEE_SHIM_ROOT=out, MARQUEE_SHIM_FIRED=fired,
                    MARQUEE_SHIM_FAIL=f"sync:EIO:{number}:*/ledger.sqlite-wal"))
                if not fired.exists():
                    self.assert_exit(0, done)  # the sweep needed fewer
                    continue
                struck += 1
                self.assert_exit(ENVIRONMENT, done)
                self.assertRegex(done.stderr, r"marquee: error: .*ledger\.sqlite")
                self.assert_no_process_left()
                self.assert_exit(0, self.sweep("--simulate", out=out))
                self.assertEqual(self.sound_rows(undisturbed), self.sound_rows(out))
        self.assertGreaterEqual(struck, 3, "hardly any sync failed")


if __name__ == "__main__":
    main()
