"""A broker, a web server and a program for actions to use."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_servers import LocalBroker, LocalWeb, needs_mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalBroker]:
    needs_mosquitto()
    one = LocalBroker(tmp_path)
    yield one
    one.close()


@pytest.fixture
def web() -> Iterator[LocalWeb]:
    one = LocalWeb()
    yield one
    one.close()


@pytest.fixture
def recorder(tmp_path: Path) -> tuple[list[str], Callable[[], list[list[str]]]]:
    """A program that writes down its arguments, and what it wrote down so far."""
    script, log = tmp_path / "write down.py", tmp_path / "log"
    script.write_text("import json, sys\nopen(sys.argv[1], 'a').write(json.dumps(sys.argv[2:]) + '\\n')\n")

    def told() -> list[list[str]]:
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    return [sys.executable, str(script), str(log)], told
