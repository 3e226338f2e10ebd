"""The tests of `ranks_alone.py`, in a process of their own: they fork, which autograd allows only before it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_processes_train_as_one() -> None:
    file = Path(__file__).with_name("ranks_alone.py")
    plain = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-W", "error::FutureWarning")
    words = [sys.executable, "-m", "pytest", *plain, str(file)]
    # Not as a worker of the one that runs this test.
    known = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(words, capture_output=True, text=True, env=known)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout and "skipped" not in done.stdout
