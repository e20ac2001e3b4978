"""Environments of Python packages for tests that need some: CTest's own Python has the standard library only."""

import hashlib
import subprocess
import sys
import unittest

from harness import BIN


def interpreter_with(packages):
    """The interpreter of an environment with the packages, in the build folder; made once for each list of them. Skips
    the test, with the reason, where they cannot be installed."""
    key = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12]
    folder = BIN.parent / f"pypi-{key}"
    interpreter = folder / "bin" / "python"
    if (folder / "whole").exists():
        return interpreter
    for command in ([sys.executable, "-m", "venv", str(folder)],
                    [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        except OSError as error:
            raise unittest.SkipTest(f"no environment for PyPI packages: {error}") from error
        if done.returncode != 0:
            raise unittest.SkipTest(f"no environment for PyPI packages: {(done.stderr or done.stdout)[-300:]}")
    (folder / "whole").touch()
    return interpreter
